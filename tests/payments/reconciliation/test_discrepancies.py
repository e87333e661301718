"""How a discrepancy is described to a person."""

from __future__ import annotations

import pytest

from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.settlement.discrepancies import Difference, differences, what_happened, what_to_do
from routing.payments.settlement.models import Discrepancy

PAID = Payment(kind=Kind.CHARGE, status="succeeded", bot="stripe:finance:seller", amount_minor=1999, currency="usd")
NAMED = "The payment of 19.99 USD by stripe:finance:seller (pi_1)"
BYPASS = {"object": "payment_intent", "status": "succeeded", "amount": 500, "currency": "jpy"}
UNMATCHED = "Stripe has the payment pi_1 (succeeded, 500 JPY), but the ledger does not"


@pytest.mark.parametrize(
    ("kind", "payment", "details", "sentence"),
    [
        (
            "bypass",
            None,
            {"stripe": BYPASS},
            f"{UNMATCHED}: it was not made through the router.",
        ),
        (
            "bypass",
            None,
            {"stripe": {**BYPASS, "payment_id": "47"}},
            f"{UNMATCHED}, although its metadata names the payment 47.",
        ),
        (
            "missing",
            PAID,
            {"ledger": {"status": "succeeded"}},
            f"{NAMED} succeeded according to the ledger, but it does not exist at Stripe.",
        ),
        (
            "different",
            PAID,
            {"amount": {"ledger": 1999, "stripe": 2000}},
            f"{NAMED} differs: amount is 19.99 USD in the ledger and 20.00 USD at Stripe.",
        ),
        (
            "contradicted",
            PAID,
            {"ledger": "canceled", "stripe": "succeeded"},
            f"{NAMED} differs: status is canceled in the ledger and succeeded at Stripe.",
        ),
        ("disputed", None, {"reason": "fraudulent"}, "The payment pi_1 is disputed by the customer (fraudulent)."),
        (
            "disputed",
            PAID,
            {"reason": "duplicate", "status": "needs_response", "answer_by": "2026-08-12T23:59:59+00:00"},
            f"{NAMED} is disputed by the customer (duplicate, needs response, respond by 2026-08-12 23:59 UTC).",
        ),
    ],
)
def test_each_kind_is_described_in_a_sentence(kind, payment, details, sentence):
    discrepancy = Discrepancy(kind=kind, domain="stripe", stripe_id="pi_1", payment=payment, details=details)

    assert what_happened(discrepancy) == sentence
    assert what_to_do(discrepancy).endswith(".")


@pytest.mark.parametrize(
    ("kind", "first_step"),
    [
        ("bypass", "Find out who made it: "),
        ("missing", "Look up the ID in the Stripe Dashboard, "),
        ("different", "Compare both sides in the Stripe Dashboard. "),
        ("contradicted", "Stripe is right about the money. "),
        ("disputed", "Respond in the Stripe Dashboard before the deadline."),
    ],
)
def test_each_kind_comes_with_what_to_do_first(kind, first_step):
    assert what_to_do(Discrepancy(kind=kind, domain="stripe", stripe_id="pi_1")).startswith(first_step)


def test_a_field_that_one_side_does_not_have_is_empty():
    discrepancy = Discrepancy(kind="bypass", domain="stripe", stripe_id="pi_1", details={"stripe": BYPASS})

    assert Difference("amount", "", "500 JPY") in differences(discrepancy)
    assert {difference.ledger for difference in differences(discrepancy)} == {""}
