"""Payments and refunds that a bank decides on days later: processing meanwhile, and then settled as it decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from routing.errors import Declined
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.settlement.recovery import MAX_ATTEMPTS
from routing.payments.states import Status
from tests.payments.ledger import A_DAY, make_older, recover
from tests.payments.operations import open_and_pay_session, refund_payment
from tests.payments.stripe_account import settle_at_bank, use_card

if TYPE_CHECKING:
    from tests.conftest import Stripe

CHARGES: list[dict[str, Any]] = [{"amount": "10"}, {}]
OUTCOMES = [("succeeded", Status.SUCCEEDED, None), ("failed", Status.DECLINED, "generic_decline")]


@pytest.fixture
def slow_bank(bot, stripe: Stripe) -> Stripe:
    use_card(stripe, "settles_later")
    return stripe


@pytest.mark.parametrize("fields", CHARGES)
@pytest.mark.parametrize(("outcome", "status", "decline_code"), OUTCOMES)
def test_a_charge_is_processing_until_the_bank_decides(pay, slow_bank, fields, outcome, status, decline_code):
    pay(**fields)
    waiting = recover().get()

    settle_at_bank(slow_bank, outcome)

    settled = recover().get()
    assert waiting.status == Status.PROCESSING
    assert (settled.status, (settled.error or {}).get("decline_code")) == (status, decline_code)
    assert settled.payment_intent_id == slow_bank.objects("payment_intents")[0]["id"]


def test_the_invoice_of_a_price_that_the_bank_declines_later_is_voided(pay, slow_bank):
    pay()
    recover()

    settle_at_bank(slow_bank, "failed")
    recover()

    assert [invoice["status"] for invoice in slow_bank.objects("invoices")] == ["void"]


def test_an_invoice_that_cannot_be_voided_yet_leaves_its_payment_processing(pay, slow_bank):
    pay()
    recover()
    settle_at_bank(slow_bank, "failed")
    slow_bank.control.fault("status", status=503, path="/v1/invoices/*/void")

    waiting = recover().get()

    assert waiting.status == Status.PROCESSING
    assert recover().get().status == Status.DECLINED


@pytest.mark.parametrize("fields", CHARGES)
def test_a_bank_may_take_weeks_without_a_review(pay, slow_bank, fields):
    pay(**fields)
    recover()
    make_older(14 * A_DAY)
    slow_bank.control.advance_clock(14 * 25 * 3600)
    Payment.objects.update(attempts=MAX_ATTEMPTS + 10)

    waiting = recover().get()
    settle_at_bank(slow_bank, "succeeded")

    assert waiting.status == Status.PROCESSING
    assert recover().get().status == Status.SUCCEEDED


@pytest.mark.parametrize("fields", CHARGES)
def test_a_payment_stays_processing_while_stripe_cannot_be_read_and_nothing_is_sent(pay, slow_bank, fields):
    pay(**fields)
    recover()
    Payment.objects.update(attempts=MAX_ATTEMPTS + 10)
    sent = len(slow_bank.control.requests(method="POST"))
    slow_bank.control.fault("status", status=500, method="GET", count=None)

    waiting = recover().get()

    assert waiting.status == Status.PROCESSING
    assert len(slow_bank.control.requests(method="POST")) == sent
    assert waiting.lease_until is None


@pytest.mark.parametrize(("outcome", "status", "decline_code"), OUTCOMES)
def test_a_checkout_session_is_processing_until_the_bank_decides(bot, stripe, outcome, status, decline_code):
    open_and_pay_session(stripe, card="settles_later")
    waiting = recover().get()

    settle_at_bank(stripe, outcome)

    settled = recover().get()
    assert waiting.status == Status.PROCESSING
    assert (settled.status, (settled.error or {}).get("decline_code")) == (status, decline_code)


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", Status.SUCCEEDED), ("failed", Status.DECLINED)])
def test_a_refund_is_processing_until_the_bank_decides(pay, slow_bank, outcome, status):
    payment = pay(amount="10")
    settle_at_bank(slow_bank, "succeeded")
    recover()
    refunded = refund_payment(payment, amount="4")
    waiting = recover().get(id=refunded.id)

    slow_bank.control.settle_refund(slow_bank.account, refunded.object_id, outcome)

    assert (refunded.status, waiting.status) == (Status.PROCESSING, Status.PROCESSING)
    assert recover().get(id=refunded.id).status == status


def test_a_refund_that_failed_gives_the_reason_and_can_be_repeated_under_another_key(pay, slow_bank):
    payment = pay(amount="10")
    settle_at_bank(slow_bank, "succeeded")
    recover()
    refunded = refund_payment(payment)
    slow_bank.control.settle_refund(slow_bank.account, refunded.object_id, "failed")

    failed = recover().get(id=refunded.id)

    with pytest.raises(Declined, match=r"expired_or_canceled_card\) Nothing was refunded"):
        raise_if_failed(failed)
    assert refund_payment(payment, "refund-2").amount == "10.00"
