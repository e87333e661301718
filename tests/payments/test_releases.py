"""A server of a release that may not charge any more charges nothing, and says so."""

from __future__ import annotations

import psycopg
import pytest

from routing import postgres
from routing.errors import OutdatedServer
from routing.payments.ledger import statements
from routing.payments.ledger.models import OLDER_RELEASE, Payment
from routing.payments.ledger.releases import LEAST_RELEASE, RELEASE


def test_this_release_may_charge(pay):
    pay(amount="10")

    assert Payment.objects.get().release == RELEASE >= LEAST_RELEASE


def test_an_older_release_charges_nothing_and_its_error_says_what_to_do(pay, stripe, monkeypatch):
    monkeypatch.setattr(statements, "RELEASE", LEAST_RELEASE - 1)

    with pytest.raises(OutdatedServer) as refused:
        pay(amount="10")

    assert refused.value.retry_with_same_key
    assert not refused.value.money_may_have_moved
    assert stripe.requests("POST") == []
    assert not Payment.objects.exists()

    monkeypatch.undo()
    assert pay(amount="10").release == RELEASE


def test_a_release_that_knows_no_releases_is_the_oldest(pay):
    """Its statement leaves the column out, for which the default stands."""
    pay(amount="10")

    with postgres.connection() as database, pytest.raises(psycopg.Error) as refused:
        database.execute(
            """
            INSERT INTO routing_payment
            SELECT (jsonb_populate_record(payment, jsonb_build_object(
                'id', gen_random_uuid(), 'idempotency_key', 'order-2', 'release', 0,
                'created_at', clock_timestamp()
            ))).* FROM routing_payment AS payment
            """
        )
    assert refused.value.sqlstate == OLDER_RELEASE
