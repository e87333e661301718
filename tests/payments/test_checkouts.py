"""Checkout pages: opened once, and paid by a person later."""

from __future__ import annotations

from typing import Any

import pytest

from routing.errors import InvalidRequest, NotAllowedByRoute
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status

BOT = BotId.parse("finance:finance_router_bot")
HOME = "https://example.com/s"


def opened(key: str = "page-1", **wanted: Any) -> Payment:
    return open_checkout(BOT, Checkout(**{"success_url": HOME} | wanted), idempotency_key=key).payment


def recover() -> Payment:
    Payment.objects.filter(settled_at=None).update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()
    return Payment.objects.get()


def test_a_page_sells_the_routes_price_to_the_routes_customer_and_waits(bot, stripe):
    payment = opened(cancel_url="https://example.com/c")

    [session] = stripe.objects("checkout/sessions")
    assert (payment.status, payment.object_id) == (Status.REQUIRES_ACTION, session["id"])
    assert (session["customer"], session["amount_total"]) == ("cus_finance_default", 2500)
    assert session["client_reference_id"] == session["metadata"]["payment_id"] == str(payment.id)
    assert payment.result["url"]


def test_a_page_sells_an_amount_of_the_routes_product(bot, stripe):
    assert opened(amount="19.99", quantity=2).amount == "39.98"
    assert stripe.objects("checkout/sessions")[0]["amount_total"] == 3998


def test_a_page_that_was_paid_succeeds_with_its_payment_intent(bot, stripe):
    payment = opened()
    stripe.control.complete_checkout(stripe.account, payment.object_id, card="visa")

    settled = recover()

    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id == stripe.objects("payment_intents")[0]["id"]


def test_a_page_that_nobody_paid_goes_on_waiting(bot, stripe):
    opened()

    assert recover().status == Status.REQUIRES_ACTION


def test_the_same_key_opens_one_page(bot, stripe):
    assert opened() == opened()
    assert len(stripe.objects("checkout/sessions")) == 1


def test_line_items_may_repeat_the_routes_price_and_no_other(bot, stripe):
    opened(line_items=[{"price": "price_finance_standard", "quantity": 3}])

    assert stripe.objects("checkout/sessions")[0]["amount_total"] == 7500
    with pytest.raises(NotAllowedByRoute):
        opened("page-2", line_items=[{"price": "price_finance_enterprise", "quantity": 1}])


@pytest.mark.parametrize(
    "wanted",
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
def test_what_a_bot_may_not_sell_is_refused(bot, stripe, wanted):
    with pytest.raises(InvalidRequest):
        opened(**wanted)

    assert stripe.requests("POST") == []
