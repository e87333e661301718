"""Refunds from any side: of a part, of the rest, of what was partly captured, and refunds that fail in the end."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import types


@pytest.fixture
def intent(merchant):
    return merchant.v1.payment_intents.create(merchant.payer().charge(2000))


def charge(merchant, intent):
    return merchant.v1.charges.retrieve(intent.latest_charge)


def test_a_refund_made_at_the_dashboard_is_seen_on_the_charge_and_announced(merchant, intent):
    made = {"payment_intent": intent.id, "amount": 500}

    refund = merchant.control.call(merchant.key, "POST", "/v1/refunds", made)

    found = merchant.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.refunds"]}).latest_charge
    assert (found.amount_refunded, found.refunded) == (500, False)
    assert [each.id for each in found.refunds.data] == [refund["id"]]
    assert types(merchant)[:2] == ["refund.created", "charge.refunded"]


def test_what_is_left_is_refunded_where_no_amount_is_named(merchant, intent):
    merchant.v1.refunds.create({"charge": intent.latest_charge, "amount": 500})

    rest = merchant.v1.refunds.create({"payment_intent": intent.id})

    assert rest.amount == 1500
    assert (charge(merchant, intent).amount_refunded, charge(merchant, intent).refunded) == (2000, True)


def test_a_refund_that_succeeded_and_failed_later_can_be_made_again(merchant, intent):
    refund = merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 2000})
    before = merchant.v1.balance.retrieve().pending[0].amount

    failed = merchant.control.settle_refund(merchant.account, refund.id, "failed")

    after = charge(merchant, intent)
    assert (refund.status, failed["status"], failed["failure_reason"]) == (
        "succeeded", "failed", "expired_or_canceled_card",
    )  # fmt: skip
    assert (after.amount_refunded, after.refunded) == (0, False)
    assert merchant.v1.balance.retrieve().pending[0].amount - before == 2000
    assert types(merchant)[:3] == ["charge.refund.updated", "refund.updated", "refund.failed"]
    assert merchant.v1.refunds.create({"payment_intent": intent.id}).amount == 2000
    with pytest.raises(RuntimeError, match="cannot become succeeded"):
        merchant.control.settle_refund(merchant.account, refund.id)


def test_of_a_payment_that_was_captured_in_part_that_part_can_be_refunded(merchant):
    held = merchant.v1.payment_intents.create(merchant.payer().charge(1000, capture_method="manual"))
    merchant.v1.payment_intents.capture(held.id, {"amount_to_capture": 600})
    captured = merchant.v1.charges.retrieve(held.latest_charge)

    refund = merchant.v1.refunds.create({"payment_intent": held.id})

    assert (captured.amount_captured, captured.amount_refunded, captured.refunded) == (600, 400, False)
    assert refund.amount == 600
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        merchant.v1.refunds.create({"payment_intent": held.id})


def test_a_refunds_metadata_can_be_changed(merchant, intent):
    refund = merchant.v1.refunds.create({"payment_intent": intent.id, "metadata": {"a": "1"}})

    changed = merchant.v1.refunds.update(refund.id, {"metadata": {"b": "2"}})

    assert changed.metadata.to_dict() == {"a": "1", "b": "2"}


def test_a_refund_at_a_slow_bank_says_why_it_waits(merchant):
    slow = merchant.v1.payment_intents.create(merchant.payer("settles_later").charge())
    merchant.control.settle_payment(merchant.account, slow.id)

    refund = merchant.v1.refunds.create({"payment_intent": slow.id})

    assert (refund.status, refund.pending_reason) == ("pending", "processing")


def test_a_dispute_of_a_part_takes_that_part(merchant, intent):
    dispute = merchant.control.dispute_payment(merchant.account, intent.id, amount=700)

    assert dispute["amount"] == 700
    assert sum(each["net"] for each in merchant.control.objects(merchant.key, "balance_transactions")) == 1300
    other = merchant.v1.payment_intents.create(merchant.payer().charge(2000))
    with pytest.raises(RuntimeError, match="cannot be disputed"):
        merchant.control.dispute_payment(merchant.account, other.id, amount=2001)


def test_a_dispute_can_be_accepted_at_the_dashboard_and_a_won_one_lets_the_charge_be_refunded(merchant, intent):
    won = merchant.control.dispute_payment(merchant.account, intent.id)
    merchant.control.close_dispute(merchant.account, won["id"], "won")
    other = merchant.v1.payment_intents.create(merchant.payer().charge(2000))
    dispute = merchant.control.dispute_payment(merchant.account, other.id)

    accepted = merchant.v1.disputes.close(dispute["id"])

    assert accepted.status == "lost"
    assert merchant.v1.refunds.create({"payment_intent": intent.id}).amount == 2000
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        merchant.v1.refunds.create({"payment_intent": other.id})
