"""Disputes: opened and closed by a bank, read by everybody else."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK is the client that the sandbox must satisfy)


def dispute(merchant, reason="fraudulent"):
    intent = merchant.v1.payment_intents.create(merchant.payer().charge(2500))
    merchant.control.dispute_payment(merchant.account, intent.id, reason=reason)
    return merchant.v1.disputes.list({"payment_intent": intent.id}).data[0]


def types(merchant):
    return [event["type"] for event in merchant.control.objects(merchant.key, "events")]


def booked(merchant):
    return sum(entry["amount"] for entry in merchant.control.objects(merchant.key, "balance_transactions"))


def test_a_dispute_takes_the_money_and_says_why_and_until_when_it_can_be_answered(merchant):
    found = dispute(merchant, reason="product_not_received")

    assert (found.amount, found.currency, found.reason) == (2500, "usd", "product_not_received")
    assert (found.status, found.evidence_details.due_by > found.created) == ("needs_response", True)
    assert merchant.v1.charges.retrieve(found.charge).disputed
    assert booked(merchant) == 0
    assert types(merchant)[:2] == ["charge.dispute.funds_withdrawn", "charge.dispute.created"]


@pytest.mark.parametrize(("outcome", "kept"), [("won", 2500), ("lost", 0)])
def test_the_money_comes_back_only_where_the_dispute_is_won(merchant, outcome, kept):
    found = dispute(merchant)

    merchant.control.close_dispute(merchant.account, found.id, outcome)

    assert merchant.v1.disputes.retrieve(found.id).status == outcome
    assert booked(merchant) == kept
    assert "charge.dispute.closed" in types(merchant)


def test_what_is_disputed_can_neither_be_disputed_again_nor_refunded(merchant):
    found = dispute(merchant)

    with pytest.raises(RuntimeError, match="disputed already"):
        merchant.control.dispute_payment(merchant.account, found.payment_intent)
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        merchant.v1.refunds.create({"payment_intent": found.payment_intent})


def test_a_payment_that_did_not_succeed_cannot_be_disputed(merchant):
    intent = merchant.v1.payment_intents.create({"amount": 1000, "currency": "usd"})

    with pytest.raises(RuntimeError, match="no succeeded charge"):
        merchant.control.dispute_payment(merchant.account, intent.id)


def test_a_dispute_is_closed_once(merchant):
    found = dispute(merchant)
    merchant.control.close_dispute(merchant.account, found.id, "lost")

    with pytest.raises(RuntimeError, match="closed already"):
        merchant.control.close_dispute(merchant.account, found.id, "won")
