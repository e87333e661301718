"""The audit log says when a domain's key is refused, why, and when it is good again."""

from __future__ import annotations

import pytest

from routing.audit.models import AuditEntry
from routing.keys import reset_keyring
from routing.keys.models import KeyRefusal
from routing.payments.stripe_api.key_watch import watch_all
from routing.registry import snapshot
from routing.registry.models import Domain

pytestmark = [pytest.mark.usefixtures("bot"), pytest.mark.django_db(transaction=True)]


def watch() -> list[tuple[str, bool]]:
    """Look at the keys thrice, and return each refusal's problem, and whether it has ended."""
    for _ in range(3):
        reset_keyring()
        snapshot.reload(snapshot.current())
        watch_all()
    return [(refusal.problem, refusal.ended_at is not None) for refusal in KeyRefusal.objects.order_by("pk")]


def test_each_refusal_is_written_once_with_its_end(stripe, monkeypatch):
    assert watch() == []

    with monkeypatch.context() as patch:
        patch.delenv("STRIPE_SECRET_KEY")
        [(missing, _)] = watch()
    Domain.objects.filter(slug="stripe").update(account_id="acct_expected")
    found = watch()
    Domain.objects.filter(slug="stripe").update(account_id=stripe.account)

    assert "There is no secret key in the environment" in missing
    assert [ended for _, ended in found] == [True, False]
    assert "but the registry expects acct_expected" in found[1][0]
    assert [ended for _, ended in watch()] == [True, True]
    entries = AuditEntry.objects.filter(table_name="routing_keyrefusal").order_by("at")
    assert [(entry.object_name, entry.action) for entry in entries] == [
        ("key of stripe", action) for action in ("insert", "update", "insert", "update")
    ]
    assert entries[0].after["problem"] == missing


def test_a_stripe_that_does_not_answer_says_nothing_of_the_key(stripe):
    stripe.control.fault("reset_before", path="/v1/account")

    assert watch() == []
