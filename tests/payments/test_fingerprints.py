"""Equal requests under one key are one payment, however they are written; others conflict with what was paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from routing.errors import IdempotencyConflict, InvalidRequest
from routing.identifiers import BotId
from routing.payments.execution import fingerprints
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.refunds import Refund, refund
from routing.registry.models import Route

if TYPE_CHECKING:
    from routing.payments.execution.exactly_once import PaymentResult

BOT = BotId.parse("finance:finance_router_bot")
PRICE, CUSTOMER = "price_finance_standard", "cus_finance_default"
SUCCESS = "https://example.com/success"


def pay(key: str = "order-1", **wanted: Any) -> PaymentResult:
    return charge(BOT, Charge(**wanted), idempotency_key=key)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"amount": 10}, {"amount": "10.00"}),
        ({"amount": "10.0"}, {"amount": "10.00"}),
        ({"amount": "10", "currency": "usd"}, {"amount": "10", "currency": "USD"}),
        ({"amount": "10", "currency": "usd"}, {"amount": "10"}),
        ({"amount": "10", "overrides": {"region": "default"}}, {"amount": "10"}),
        ({"amount": "10", "metadata": {}, "description": ""}, {"amount": "10"}),
        ({"quantity": 1}, {}),
        ({"price_id": PRICE}, {}),
        ({"customer_id": CUSTOMER}, {}),
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_the_same_request_in_other_words_is_a_replay(bot, stripe, first, again, is_reversed):
    if is_reversed:
        first, again = again, first
    made = pay(**first)

    replayed = pay(**again)

    assert replayed.is_replay
    assert replayed.payment.id == made.payment.id
    assert len(stripe.objects("charges")) == 1


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ({"amount": "10"}, {"amount": "10.01"}),
        ({"amount": "10"}, {}),
        ({"quantity": 2}, {}),
        ({"amount": "10", "metadata": {"order": "1"}}, {"amount": "10"}),
        ({"amount": "10"}, {"amount": "10", "overrides": {"business": "enterprise"}}),
        ({"amount": "10", "description": "one"}, {"amount": "10", "description": "two"}),
    ],
)
def test_another_request_is_a_conflict_that_carries_the_first_payment(bot, stripe, first, other):
    made = pay(**first)

    with pytest.raises(IdempotencyConflict) as conflict:
        pay(**other)

    assert conflict.value.context["payment"]["id"] == str(made.payment.id)
    assert conflict.value.money_may_have_moved
    assert len(stripe.objects("charges")) == 1


def test_a_request_stays_the_same_when_its_route_changes(bot, stripe):
    made = pay(price_id=PRICE)
    Route.objects.filter(region__slug="default").update(price_id="price_finance_enterprise")

    assert pay().payment.id == made.payment.id
    assert pay(price_id=PRICE).payment.id == made.payment.id
    with pytest.raises(IdempotencyConflict):
        pay(price_id="price_finance_enterprise")
    assert len(stripe.objects("charges")) == 1


def test_a_refund_is_the_same_by_every_id_of_its_charge(bot, stripe):
    paid = pay(amount="10").payment
    first = refund(BOT, Refund(payment=str(paid.id), amount="4"), idempotency_key="refund-1")

    for name in (paid.payment_intent_id, paid.charge_id):
        again = refund(BOT, Refund(payment=name, amount="4.00"), idempotency_key="refund-1")

        assert again.is_replay
        assert again.payment.id == first.payment.id
    assert len(stripe.objects("refunds")) == 1


def test_a_checkout_of_the_routes_price_is_the_same_with_its_line_item_named(bot, stripe):
    first = open_checkout(BOT, Checkout(success_url=SUCCESS, quantity=2), idempotency_key="page-1")
    named = Checkout(success_url=SUCCESS, line_items=[{"price": PRICE, "quantity": 2}])

    assert open_checkout(BOT, named, idempotency_key="page-1").payment.id == first.payment.id


def test_a_fingerprint_says_by_which_rule_it_was_made(bot, stripe):
    assert bytes(pay(amount="10").payment.fingerprint)[0] == fingerprints.VERSION


def test_a_key_with_a_comma_is_refused_as_a_header_that_came_twice(bot, stripe):
    with pytest.raises(InvalidRequest, match="sent twice"):
        pay(key="order-1, order-1", amount="10")

    assert stripe.objects("charges") == []
