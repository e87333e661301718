"""The ledger as time, a restored backup or recovery changes it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import F

from routing.payments.ledger.models import Payment
from routing.payments.settlement.recovery import settle_open
from tests.database_roles import as_administrator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

A_DAY = timedelta(hours=25)
"""After which Stripe has forgotten an idempotency key."""

LONG_AGO = "2020-01-01T00:00Z"
FAR_AHEAD = "2100-01-01T00:00Z"

ID_COLUMNS = ("payment_intent_id", "charge_id", "invoice_id", "object_id")


@contextmanager
def without_triggers() -> Iterator[None]:
    """Change the ledger as no part of the router can, and as a restore does: past its triggers."""
    with as_administrator(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = origin")


def make_older(by: timedelta) -> None:
    """Move the creation and the last send of every payment back in time."""
    with without_triggers():
        Payment.objects.update(created_at=F("created_at") - by, sent_at=F("sent_at") - by)


def lose(*payments: Payment) -> None:
    """Remove payments from the ledger, as restoring a backup from before them does."""
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM routing_payment WHERE id = ANY(%s)", [[payment.pk for payment in payments]])


def make_due() -> None:
    """Make every open payment due for recovery."""
    Payment.objects.filter(settled_at=None).update(next_attempt_at=LONG_AGO)


def recover() -> QuerySet[Payment]:
    """Let recovery look up every open payment once, now; return all payments."""
    make_due()
    settle_open()
    return Payment.objects.all()


def stored_ids(payment: Payment) -> dict[str, str]:
    """Return by its column every id at Stripe that the payment's row has."""
    return {column: stripe_id for column in ID_COLUMNS if (stripe_id := getattr(payment, column))}
