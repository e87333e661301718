"""Payments and refunds that a slow bank decides on days later: known while they wait, and settled as it decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from routing.errors import Declined
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.refunds import Refund, refund
from routing.payments.settlement.recovery import MAX_ATTEMPTS, settle_open
from routing.payments.states import Status
from routing.registry.models import Route
from tests.payments.test_recovery import A_DAY, make_older

if TYPE_CHECKING:
    from tests.conftest import Stripe

BOT = BotId.parse("finance:finance_router_bot")
WAYS_TO_PAY: list[dict[str, Any]] = [{"amount": "10"}, {}]


@pytest.fixture
def slow(bot, stripe: Stripe) -> Stripe:
    stripe.control.seed_customer(stripe.account, "cus_slow", card="settles_later")
    Route.objects.update(customer_id="cus_slow")
    return stripe


def pay(**wanted: Any) -> Payment:
    return charge(BOT, Charge(**wanted), idempotency_key="order-1").payment


def paid_on_a_page(stripe: Stripe) -> Payment:
    page = open_checkout(BOT, Checkout(success_url="https://example.com/s"), idempotency_key="page-1").payment
    stripe.control.complete_checkout(stripe.account, page.object_id, card="settles_later")
    return page


def the_bank_decides(stripe: Stripe, outcome: Any) -> None:
    [intent] = stripe.objects("payment_intents")
    stripe.control.settle_payment(stripe.account, intent["id"], outcome)


def recover(payment: Payment) -> Payment:
    Payment.objects.filter(settled_at=None).update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()
    return Payment.objects.get(id=payment.id)


@pytest.mark.parametrize("wanted", WAYS_TO_PAY)
@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_charge_is_processing_until_the_bank_decides(slow, wanted, outcome):
    payment = pay(**wanted)
    waiting = recover(payment)

    the_bank_decides(slow, outcome)

    settled = recover(payment)
    assert waiting.status == Status.PROCESSING
    assert settled.status == (Status.SUCCEEDED if outcome == "succeeded" else Status.DECLINED)
    assert (settled.error or {}).get("decline_code") == (None if outcome == "succeeded" else "generic_decline")
    assert settled.payment_intent_id == slow.objects("payment_intents")[0]["id"]


def test_the_invoice_of_a_price_that_the_bank_refuses_later_is_voided(slow):
    payment = pay()
    recover(payment)

    the_bank_decides(slow, "failed")
    recover(payment)

    assert [invoice["status"] for invoice in slow.objects("invoices")] == ["void"]


def test_an_invoice_that_cannot_be_voided_yet_leaves_its_payment_processing(slow):
    payment = pay()
    recover(payment)
    the_bank_decides(slow, "failed")
    slow.control.fault("status", status=503, path="/v1/invoices/*/void")

    waiting = recover(payment)

    assert waiting.status == Status.PROCESSING
    assert recover(payment).status == Status.DECLINED


@pytest.mark.parametrize("wanted", WAYS_TO_PAY)
def test_a_bank_may_take_weeks_and_no_person_is_asked(slow, wanted):
    payment = pay(**wanted)
    recover(payment)
    make_older(14 * A_DAY)
    slow.control.advance_clock(14 * 25 * 3600)
    Payment.objects.update(attempts=MAX_ATTEMPTS + 10)

    waiting = recover(payment)
    the_bank_decides(slow, "succeeded")

    assert waiting.status == Status.PROCESSING
    assert recover(payment).status == Status.SUCCEEDED


@pytest.mark.parametrize("wanted", WAYS_TO_PAY)
def test_while_stripe_cannot_be_read_what_is_processing_stays_so_and_nothing_is_sent(slow, wanted):
    payment = pay(**wanted)
    recover(payment)
    Payment.objects.update(attempts=MAX_ATTEMPTS + 10)
    sent = len(slow.control.requests(method="POST"))
    slow.control.fault("status", status=500, method="GET", count=None)

    waiting = recover(payment)

    assert waiting.status == Status.PROCESSING
    assert len(slow.control.requests(method="POST")) == sent
    assert waiting.lease_until is None


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_page_is_processing_until_the_bank_decides(bot, stripe, outcome):
    payment = paid_on_a_page(stripe)
    waiting = recover(payment)

    the_bank_decides(stripe, outcome)

    settled = recover(payment)
    assert waiting.status == Status.PROCESSING
    assert settled.status == (Status.SUCCEEDED if outcome == "succeeded" else Status.DECLINED)
    assert (settled.error or {}).get("decline_code") == (None if outcome == "succeeded" else "generic_decline")


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", Status.SUCCEEDED), ("failed", Status.DECLINED)])
def test_a_refund_is_processing_until_the_bank_decides(slow, outcome, status):
    payment = pay(amount="10")
    the_bank_decides(slow, "succeeded")
    recover(payment)
    given = refund(BOT, Refund(payment=str(payment.id), amount="4"), idempotency_key="refund-1").payment
    waiting = recover(given)

    slow.control.settle_refund(slow.account, given.object_id, outcome)

    assert (given.status, waiting.status) == (Status.PROCESSING, Status.PROCESSING)
    assert recover(given).status == status


def test_a_refund_that_failed_says_why_and_can_be_made_again(slow):
    payment = pay(amount="10")
    the_bank_decides(slow, "succeeded")
    recover(payment)
    given = refund(BOT, Refund(payment=str(payment.id)), idempotency_key="refund-1").payment
    slow.control.settle_refund(slow.account, given.object_id, "failed")

    failed = recover(given)

    with pytest.raises(Declined, match=r"expired_or_canceled_card\) Nothing was refunded"):
        raise_if_failed(failed)
    again = refund(BOT, Refund(payment=str(payment.id)), idempotency_key="refund-2").payment
    assert again.amount == "10.00"
