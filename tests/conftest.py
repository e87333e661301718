"""A registry with one bot, and an account at the sandbox Stripe."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.control import Control
from sandbox.running import running_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stripe._v1_services import V1Services  # noqa: TID251 (Stripe's own side)

    from routing.registry.models import Bot

pytest_plugins = ["tests.payments.faults.report"]

BOT = "finance:finance_router_bot"
"""The bot that every test charges with, unless it says otherwise."""

_RANDOM = re.compile("[0-9a-f]{8,}|[0-9A-Za-z]{20,}")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Leave the random part of a key out of a test's id: each process that collects the tests generates another."""
    return _RANDOM.sub("KEY", val) if isinstance(val, str) and _RANDOM.search(val) else None


@dataclass(frozen=True)
class Stripe:
    """A new account at the sandbox Stripe, and a key to it."""

    control: Control
    account: str
    key: str

    @property
    def client(self) -> V1Services:
        """Stripe's own client, as somebody uses it who has the key and goes around the router."""
        from stripe import StripeClient  # noqa: TID251 (Stripe's own side)

        return StripeClient(self.key, base_addresses={"api": self.control.address}).v1

    def objects(self, resource: str, **filters: str) -> list[dict[str, Any]]:
        return self.control.objects(self.key, resource, **filters)

    def requests(self, method: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        """Return the account's requests so far, oldest first."""
        logged = self.control.requests(method=method, path=path)
        return [request for request in logged if request["account"] == self.account]


@pytest.fixture(scope="session")
def sandbox_address() -> Iterator[str]:
    with running_sandbox() as address:
        yield address


@pytest.fixture
def stripe(sandbox_address: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stripe]:
    from routing.keys import reset_keyring
    from routing.payments.stripe_api import accounts, payment_methods, prices

    stripe = Stripe(Control(sandbox_address), "acct_" + secrets.token_hex(8), "rk_live_" + secrets.token_hex(16))
    seed(stripe)
    for name in ("VAULT_ADDR", "STRIPE_KEYS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STRIPE_SECRET_KEY", stripe.key)
    settings.STRIPE_API_BASE = sandbox_address
    for cache in (accounts._alerted, payment_methods._cache, prices._cache):
        cache.clear()
    reset_keyring()
    yield stripe
    stripe.control.reset()
    reset_keyring()


def seed(stripe: Stripe) -> None:
    """Create in the account what the bot's routes name."""
    stripe.control.register_keys(stripe.account, stripe.key)
    stripe.control.seed_product(stripe.account, "prod_finance_router")
    for price, amount, currency in (
        ("price_finance_standard", 2500, "usd"),
        ("price_finance_enterprise", 9900, "usd"),
        ("price_finance_eu", 2700, "eur"),
    ):
        stripe.control.seed_price(
            stripe.account, price, product="prod_finance_router", unit_amount=amount, currency=currency
        )
    stripe.control.seed_customer(stripe.account, "cus_finance_default", card="visa")


@pytest.fixture
def bot(transactional_db: None) -> Bot:
    """Register the finance bot with a default route, a route in the eu, and an override for business=enterprise."""
    from routing.registry.models import Bot, Category, Domain, Override, Region, Route

    domain, _ = Domain.objects.get_or_create(slug="stripe")
    default, _ = Region.objects.get_or_create(slug="default")
    eu, _ = Region.objects.get_or_create(slug="eu")
    finance, _ = Category.objects.get_or_create(slug="finance")
    bot = Bot.objects.create(domain=domain, category=finance, name="finance_router_bot")
    ids = {"bot": bot, "product_id": "prod_finance_router", "customer_id": "cus_finance_default"}
    Route.objects.create(region=default, price_id="price_finance_standard", **ids)
    Route.objects.create(region=eu, price_id="price_finance_eu", currency="eur", **ids)
    Override.objects.create(bot=bot, key="business", value="enterprise", price_id="price_finance_enterprise")
    return bot


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Have the tests run as the runtime role, which a server has in production."""
    from django.db import connection
    from django.test import TransactionTestCase

    from routing.postgres import close_connections
    from tests.database_roles import RUNTIME, as_administrator, create_roles, run_as

    with django_db_blocker.unblock():
        create_roles()
    options = connection.settings_dict["OPTIONS"]
    given = options.get("options")
    run_as(RUNTIME)
    teardown = TransactionTestCase._fixture_teardown

    def teardown_as_administrator(self: TransactionTestCase) -> None:
        with as_administrator():
            teardown(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown_as_administrator)
        yield
    close_connections()
    with django_db_blocker.unblock():
        connection.close_pool()
    if given is None:
        del options["options"]
    else:
        options["options"] = given
