"""What is known of a payment, and what a cap has counted, is not changed in SQL."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from routing.caps.models import Cap, CapReservation, CapUsage
from routing.payments.ledger.models import Payment

pytestmark = pytest.mark.django_db(transaction=True)


def execute(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "amount_minor = 1",
        "currency = 'eur'",
        "account_id = 'acct_another'",
        "customer_id = 'cus_another'",
        "bot = 'stripe:finance:other'",
        "settled_at = now()",
        "status = 'declined'",
    ],
)
def test_a_settled_payment_is_fixed(pay, change):
    pay(amount="10")
    before = Payment.objects.values().get()

    with pytest.raises(DatabaseError):
        execute(f"UPDATE routing_payment SET {change}")  # noqa: S608 (of this test's own texts)

    assert Payment.objects.values().get() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE routing_capusage SET used = 0",
        "DELETE FROM routing_capusage",
        "DELETE FROM routing_capreservation; DELETE FROM routing_capusage",
        "INSERT INTO routing_capusage (cap_id, since, reserved, used) SELECT cap_id, since, 0, 0 FROM routing_capusage",
        "UPDATE routing_capreservation SET value = 0",
        "DELETE FROM routing_capreservation",
    ],
)
@pytest.mark.parametrize("per", ["hour", "24h", "day", "month"])
def test_what_a_cap_has_counted_is_not_taken_back(pay, stripe, statement, per):
    Cap.objects.create(measure="gross", per=per, currency="usd", limit=5000)
    pay("order-1", amount="10")
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    pay("order-2", amount="10")
    before = list(CapUsage.objects.values_list("used", "reserved")), CapReservation.objects.count()

    with pytest.raises(DatabaseError):
        execute(statement)

    assert (list(CapUsage.objects.values_list("used", "reserved")), CapReservation.objects.count()) == before


def test_what_it_has_counted_goes_with_the_cap(pay):
    cap = Cap.objects.create(measure="gross", per="day", currency="usd", limit=5000)
    pay(amount="10")

    cap.delete()

    assert not CapUsage.objects.exists()
