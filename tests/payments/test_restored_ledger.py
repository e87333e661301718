"""A ledger that was restored charges nothing twice, although nobody has read the manual."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from routing.errors import LostPayment, ReconciliationOverdue
from routing.identifiers import BotId
from routing.payments.operations.charges import Charge, charge
from routing.payments.reconciliation import comparison
from routing.payments.reconciliation.models import ReconciliationCursor
from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.states import Status
from routing.registry.models import Domain
from tests.payments.ledger import lose

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment

BOT = BotId.parse("finance:finance_router_bot")
RESTORED = timedelta(hours=25)


def pay(key: str = "order-1") -> Payment:
    return charge(BOT, Charge(amount="10"), idempotency_key=key).payment


def restore(*lost: Payment) -> None:
    """Take the ledger back to more than a day ago, before the payments were made and compared."""
    Domain.objects.update(created_at=timezone.now() - timedelta(days=100))
    ReconciliationCursor.objects.update(payments_until=timezone.now() - RESTORED)
    lose(*lost)


@pytest.fixture
def compared(bot, stripe):
    reconcile(Side.PAYMENTS)


@pytest.mark.usefixtures("compared")
def test_nothing_is_charged_until_the_restored_ledger_was_compared(stripe):
    paid = pay()
    restore(paid)
    stripe.control.advance_clock(int(RESTORED.total_seconds()))

    with pytest.raises(ReconciliationOverdue, match=r"manage\.py reconcile") as refused:
        pay()

    assert refused.value.retry_with_same_key
    assert not refused.value.money_may_have_moved
    assert len(stripe.objects("charges")) == 1


@pytest.mark.usefixtures("compared")
def test_afterwards_what_was_lost_is_not_charged_again_and_what_is_new_is(stripe, monkeypatch):
    monkeypatch.setattr(comparison, "IN_FLIGHT", timedelta(days=-5))
    paid = pay()
    restore(paid)

    reconcile(Side.PAYMENTS)

    with pytest.raises(LostPayment):
        pay()
    assert pay("order-2").status == Status.SUCCEEDED
    assert len(stripe.objects("charges")) == 2


@pytest.mark.usefixtures("compared")
def test_a_bot_still_gets_the_outcome_of_what_the_ledger_has(stripe):
    paid = pay()
    restore()

    assert pay().id == paid.id


def test_a_comparison_that_has_stopped_stops_charging_a_day_later(bot, stripe):
    pay()
    Domain.objects.update(created_at=timezone.now() - timedelta(hours=24))

    with pytest.raises(ReconciliationOverdue):
        pay("order-2")


def test_a_new_domain_is_charged_before_its_first_comparison(bot, stripe):
    assert not ReconciliationCursor.objects.exists()

    assert pay().status == Status.SUCCEEDED
