"""What ``check_production`` finds before money moves."""

from __future__ import annotations

from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from routing.access import tokens
from routing.payments.ledger.models import Payment
from routing.registry import snapshot
from routing.registry.models import Domain
from tests.database_roles import as_administrator
from tests.payments.ledger import without_triggers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def production(bot, stripe, settings) -> None:
    settings.REQUIRE_CONFIRMED_ACCOUNT = True
    for name in ("ann", "bob"):
        user = User.objects.create_superuser(name)
        Authenticator.objects.create(user=user, type="totp", data={})
    with without_triggers():
        Domain.objects.update(account_id=stripe.account, requires_approval=True, requires_cap=True)
    snapshot.reload(snapshot.current())


SANDBOX = "Problem: This is a sandbox, in which no real money moves: unset BILLING_ROUTER_ENV for production."


def check() -> list[str]:
    """Return what it says beside that this is a sandbox, for which it fails."""
    with pytest.raises(CommandError) as failed:
        call_command("check_production", stdout=StringIO())
    sandbox, *lines = str(failed.value).splitlines()
    assert sandbox == SANDBOX
    return lines


def test_nothing_is_wrong(production):
    assert check() == [
        "Note: ann is a superuser, and may do everything that one person may.",
        "Note: bob is a superuser, and may do everything that one person may.",
    ]


def test_it_says_where_one_person_can_move_money_alone(production):
    with without_triggers():
        Domain.objects.update(requires_approval=False, requires_cap=False)
        Authenticator.objects.filter(user__username="bob").delete()
    tokens.issue("endless", ["*"], ["charge"], lifetime=None)

    found = "\n".join(check())

    assert "Note: In the domain 'stripe' one person can move money alone" in found
    assert "Note: In the domain 'stripe' a bot without a cap may charge any amount." in found
    assert "Note: bob has no second factor yet." in found
    assert "never expires" in found
    assert "speaks for every bot" in found
    assert "Problem" not in found


PROBLEMS = {
    "a trigger that is off": "The trigger reserve_caps of routing_payment is switched off.",
    "an account that nobody has confirmed": "Nobody has confirmed the Stripe account",
    "no key": "No live key may be used for the domain 'stripe'",
    "one approver": "1 of the users can approve changes",
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_it_fails_for_what_would_stop_or_endanger_payments(production, monkeypatch, name):
    [trigger] = [each for each in Payment._meta.triggers if each.name == "reserve_caps"]
    switch = f"ALTER TABLE routing_payment {{}} TRIGGER {trigger.get_pgid(Payment)}"

    def run(statement: str) -> None:
        with as_administrator(), connection.cursor() as cursor:
            cursor.execute(statement)

    if name == "a trigger that is off":
        run(switch.format("DISABLE"))
    elif name == "an account that nobody has confirmed":
        with without_triggers():
            Domain.objects.update(account_id=None)
        run("UPDATE routing_registryhead SET version = version + 1, stamp = gen_random_uuid()")
        snapshot.reload(snapshot.current())
    elif name == "no key":
        monkeypatch.delenv("STRIPE_SECRET_KEY")
    else:
        with without_triggers():
            User.objects.filter(username="bob").update(is_superuser=False)
    try:
        found = check()
    finally:
        run(switch.format("ENABLE"))

    assert any(line.startswith("Problem: ") and PROBLEMS[name] in line for line in found), found
