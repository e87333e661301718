"""Checkout sessions: opened once, and paid by a person later."""

from __future__ import annotations

import pytest

from routing.errors import InvalidRequest, NotAllowedByRoute
from routing.payments.states import Status
from tests.payments.ledger import recover
from tests.payments.operations import open_and_pay_session, open_session


def test_a_session_sells_the_routes_price_to_the_routes_customer_and_waits(bot, stripe):
    payment = open_session(cancel_url="https://example.com/c")

    [session] = stripe.objects("checkout/sessions")
    assert (payment.status, payment.object_id) == (Status.REQUIRES_ACTION, session["id"])
    assert (session["customer"], session["amount_total"]) == ("cus_finance_default", 2500)
    assert session["client_reference_id"] == session["metadata"]["payment_id"] == str(payment.id)
    assert payment.result["url"]


def test_a_session_sells_an_amount_of_the_routes_product(bot, stripe):
    assert open_session(amount="19.99", quantity=2).amount == "39.98"
    assert stripe.objects("checkout/sessions")[0]["amount_total"] == 3998


def test_a_session_that_was_paid_succeeds_with_its_payment_intent(bot, stripe):
    open_and_pay_session(stripe)

    settled = recover().get()

    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id == stripe.objects("payment_intents")[0]["id"]


def test_a_session_that_nobody_paid_keeps_waiting(bot, stripe):
    open_session()

    assert recover().get().status == Status.REQUIRES_ACTION


def test_the_same_key_opens_one_session(bot, stripe):
    assert open_session() == open_session()
    assert len(stripe.objects("checkout/sessions")) == 1


def test_line_items_may_repeat_the_routes_price_and_no_other(bot, stripe):
    open_session(line_items=[{"price": "price_finance_standard", "quantity": 3}])

    assert stripe.objects("checkout/sessions")[0]["amount_total"] == 7500
    with pytest.raises(NotAllowedByRoute):
        open_session("session-2", line_items=[{"price": "price_finance_enterprise", "quantity": 1}])


@pytest.mark.parametrize(
    "fields",
    [
        {"success_url": ""},
        {"success_url": "javascript:alert(1)"},
        {"cancel_url": "ftp://example.com"},
        {"mode": "setup"},
        {"amount": "10", "mode": "subscription"},
        {"amount": "10", "line_items": [{"price": "price_finance_standard"}]},
        {"line_items": [{"price": "price_finance_standard"}] * 2},
        {"line_items": [{"price": "price_finance_standard", "discount": "all"}]},
        {"quantity": 0},
    ],
)
def test_what_a_bot_may_not_sell_is_refused(bot, stripe, fields):
    with pytest.raises(InvalidRequest):
        open_session(**fields)

    assert stripe.requests("POST") == []
