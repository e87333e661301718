"""Everybody, by every road, at every guarded object: nothing takes effect alone, and each attempt is in the log."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from routing.access import tokens
from routing.access.models import BotToken, StaffDomains
from routing.access.staff import ROLES, make_roles
from routing.approval.models import ChangeRequest
from routing.audit.models import AuditEntry
from routing.caps.models import Cap
from routing.payments.operations.models import RequestedRefund
from routing.registry.models import Bot, Domain, Override, Region, Route
from tests.admin.conftest import bot, form_of, payment  # noqa: F401 (fixtures)
from tests.database_roles import as_administrator
from tests.payments.ledger import without_triggers

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)

BOT = "stripe:finance:invoicer"

PEOPLE = {
    **{role: (role, ()) for role in ROLES},
    "Administrator of this domain": ("Administrator", ("stripe",)),
    "Administrator of another": ("Administrator", ("other",)),
    "Superuser": ("", ()),
}


@pytest.fixture(autouse=True)
def _world(bot, payment, settings) -> None:  # noqa: F811 (fixtures)
    """Everything that is guarded, in a domain whose changes need approval."""
    settings.SECURE_SSL_REDIRECT = False
    ContentType.objects.clear_cache()
    with as_administrator():
        for label in ("auth", "routing"):
            create_permissions(apps.get_app_config(label), verbosity=0)
    make_roles(apps)
    payment(payment_intent_id="pi_1", amount_minor=5000)
    Cap.objects.create(bot=bot, measure="gross", per="day", currency="usd", limit=1000)
    tokens.issue("invoicing", [BOT], ["charge"])
    User.objects.create_user("carl", is_staff=True)
    Domain.objects.create(slug="other")
    for name in PEOPLE:
        sign_in(name)
    with without_triggers():
        Bot.objects.update(is_paused=True)
        Domain.objects.filter(slug="stripe").update(requires_approval=True)


def sign_in(name: str) -> Client:
    role, domains = PEOPLE[name]
    user, is_new = User.objects.get_or_create(
        username=name, defaults={"is_staff": True, "is_superuser": name == "Superuser"}
    )
    if is_new:
        user.groups.set(Group.objects.filter(name=role))
        if domains:
            StaffDomains.objects.create(user=user, domains=list(domains))
    client = Client()
    client.force_login(user)
    return client


def state() -> list[Any]:
    models = (Domain, Region, Bot, Route, Override, Cap, BotToken, User, Group, StaffDomains, RequestedRefund)
    free = {"last_login"}
    rows = [
        [
            {name: value for name, value in row.items() if name not in free}
            for row in model.objects.order_by("pk").values()
        ]
        for model in models
    ]
    return [
        *rows,
        *(list(through.objects.values_list()) for through in (User.groups.through, Group.permissions.through)),
    ]


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


FORMS: dict[str, tuple[Callable[[], str], dict[str, Any]]] = {
    "a domain's account": (
        lambda: page("routing_domain_change", Domain.objects.get(slug="stripe").pk),
        {"account_id": "acct_other1"},
    ),
    "a price": (lambda: page("routing_route_change", Route.objects.get().pk), {"price_id": "price_40_times"}),
    "an override": (lambda: page("routing_override_change", Override.objects.get().pk), {"price_id": "price_other"}),
    "a cap": (lambda: page("routing_cap_change", Cap.objects.get().pk), {"limit": "100000"}),
    "a user's name": (
        lambda: page("auth_user_change", User.objects.get(username="carl").pk),
        {"username": "dora", "groups": [], "user_permissions": [], "domains": []},
    ),
    "a role": (
        lambda: page("auth_group_change", Group.objects.get(name="Viewer").pk),
        {"name": "Viewers", "permissions": []},
    ),
}
"""Pages whose form is sent with something changed."""

POSTS: dict[str, tuple[Callable[[], str], dict[str, Any]]] = {
    "a bot's end": (lambda: page("routing_bot_delete", Bot.objects.get().pk), {"post": "yes"}),
    "a pause lifted": (lambda: page("routing_bot_resume", Bot.objects.get().pk), {"confirmed": "yes"}),
    "a token": (lambda: page("routing_bottoken_add"), {"name": "x", "bots": BOT, "scopes": ["charge"], "days": "9"}),
    "a rotated token": (lambda: page("routing_bottoken_rotate", BotToken.objects.get().pk), {"confirmed": "yes"}),
    "a refund": (
        lambda: page("routing_payment_refund", _payment()),
        {"confirmed": "yes", "amount": "1.00", "reason": "duplicate", "remark": "Twice"},
    ),
    "a new user": (lambda: page("auth_user_add"), {"username": "eve", "usable_password": "false"}),
}
"""Pages to which so much is sent."""


def _payment() -> Any:
    from routing.payments.ledger.models import Payment

    return Payment.objects.get().pk


@pytest.mark.parametrize("thing", [*FORMS, *POSTS])
def test_nobody_changes_it_alone_in_the_admin(form_of, thing):  # noqa: F811 (the fixture)
    address, changed = (FORMS | POSTS)[thing]
    form = form_of(sign_in("Superuser"), address()) if thing in FORMS else {}
    before, proposers = state(), set()

    for name in PEOPLE:
        client = sign_in(name)
        response = client.post(address(), form | changed)
        assert response.status_code in (200, 302, 403, 404), (name, response.status_code)
        assert state() == before, name
        if ChangeRequest.objects.filter(proposed_by=name).exists():
            proposers.add(name)

    assert {"Superuser", "Administrator"} <= proposers
    assert {"Viewer", "Administrator of another"}.isdisjoint(proposers)
    logged = AuditEntry.objects.filter(table_name="routing_changerequest", action="insert")
    assert set(logged.values_list("actor", flat=True)) == proposers


@pytest.mark.parametrize("approver", ["Approver", "Administrator", "Superuser"])
def test_nor_does_whoever_approves_approve_his_own(form_of, approver):  # noqa: F811 (the fixture)
    address, changed = FORMS["a price"]
    form = form_of(sign_in("Superuser"), address())
    before = state()
    sign_in("Administrator").post(address(), form | changed)
    [change] = ChangeRequest.objects.all()

    sign_in(approver).post(page("routing_changerequest_approve", change.pk), {"confirmed": "yes"})

    assert (state() != before) == (approver != "Administrator")


def test_nor_by_the_api_a_command_or_sql():
    before = state()
    token = BotToken.objects.get()
    with without_triggers():
        BotToken.objects.update(scopes=["charge", "routes:write"])
    writer = _token_like(token)
    rule = {"product_id": "prod_A1", "price_id": "price_other", "customer_id": "cus_A1", "currency": "usd"}
    body = {
        "domain": "stripe",
        "region": "default",
        "business_category": "finance",
        "bot_name": "invoicer",
        "route": rule,
    }
    headers = {"Authorization": f"Bearer {writer}"}

    answer = Client().put("/api/v1/routes", body | {"route": rule}, "application/json", headers=headers)
    call_command("issue_token", "y", "--bot", BOT, stdout=StringIO())
    call_command("rotate_token", token.prefix, stdout=StringIO())
    for statement in (
        "UPDATE routing_route SET price_id = 'price_other'",
        "UPDATE routing_domain SET requires_approval = false",
        "DELETE FROM routing_cap",
        "UPDATE auth_user SET is_superuser = true",
        "SET billing_router.acting = '{}'; UPDATE routing_route SET customer_id = 'cus_other'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with without_triggers():
        BotToken.objects.update(scopes=["charge"])
        BotToken.objects.exclude(pk=token.pk).delete()

    assert answer.status_code == 202
    assert state() == before
    assert ChangeRequest.objects.count() == 3
    assert AuditEntry.objects.filter(table_name="routing_changerequest", action="insert").count() == 3


def _token_like(token: BotToken) -> str:
    """Issue another token with the same rights, as one that was approved."""
    with without_triggers():
        return tokens.issue("writer", token.bots, ["charge", "routes:write"])
