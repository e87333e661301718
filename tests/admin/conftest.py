"""Users of the admin, a bot, and payments."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.registry.models import Bot, Category, Domain, Override, Region, Route

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _plain_http(settings) -> None:
    settings.SECURE_SSL_REDIRECT = False


@pytest.fixture
def finance(db) -> Client:
    """Return a client with every permission."""
    client = Client()
    client.force_login(User.objects.create_superuser("finance"))
    return client


@pytest.fixture
def viewer(db) -> Client:
    """Return a client that may see the router's pages and change nothing."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_", content_type__app_label="routing")
    )
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def bot(db) -> Bot:
    """``stripe:finance:invoicer``, with a route in the default region and an override."""
    bot = Bot.objects.create(
        domain=Domain.objects.get_or_create(slug="stripe")[0],
        category=Category.objects.create(slug="finance"),
        name="invoicer",
    )
    Route.objects.create(
        bot=bot,
        region=Region.objects.get_or_create(slug="default")[0],
        product_id="prod_A1",
        price_id="price_A1",
        customer_id="cus_A1",
    )
    Override.objects.create(bot=bot, key="business", value="enterprise", price_id="price_B2")
    return bot


@pytest.fixture
def payment(bot: Bot) -> Callable[..., Payment]:
    """Write a payment to the ledger, a charge that succeeded unless told otherwise."""

    def write(**given: Any) -> Payment:
        values: dict[str, Any] = {
            "kind": Kind.CHARGE,
            "status": Status.SUCCEEDED,
            "bot": str(bot),
            "domain": "stripe",
            "category": "finance",
            "idempotency_key": secrets.token_hex(8),
            "fingerprint": b"f" * 32,
            "amount_minor": 123450,
            "currency": "usd",
            "region": "default",
            "product_id": "prod_A1",
            "price_id": "price_A1",
            "customer_id": "cus_A1",
            "registry_version": 1,
            "request": {"payment_intent": {"amount": 123450, "off_session": True}},
            "settled_at": datetime.now(UTC),
        }
        return Payment.objects.create(**values | given)

    return write


@pytest.fixture
def form_of() -> Callable[[Client, str], dict[str, str]]:
    """Open a page and return what its form would send if nothing were changed."""

    def read(client: Client, address: str) -> dict[str, str]:
        context = client.get(address).context
        sent: dict[str, str] = _values(context["adminform"].form)
        for inline in context.get("inline_admin_formsets", ()):
            for form in (inline.formset.management_form, *inline.formset.forms):
                sent |= _values(form)
        return sent

    return read


def _values(form: Any) -> dict[str, str]:
    sent = {}
    for field in form:
        value = field.value()
        if hasattr(field.field.widget, "decompress"):
            for number, part in enumerate(field.field.widget.decompress(value)):
                sent[f"{field.html_name}_{number}"] = "" if part is None else str(part)
        elif value not in (None, False):
            sent[field.html_name] = str(value)
    return sent
