"""Answers that are JSON and yet not the answer: they are never believed, and the payment is made once all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routing.caps.models import Cap
from routing.errors import CapExceeded, StripeUnavailable
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.registry.models import Route
from tests.payments.test_recovery import A_DAY, make_older

BOT = BotId.parse("finance:finance_router_bot")
INTENTS = "/v1/payment_intents"
CALLS_OF_A_PRICE = ("/v1/invoices", "/v1/invoices/*/finalize", "/v1/invoices/*/pay")

STRANGE: list[Any] = [
    None,
    [],
    "ok",
    {},
    {"object": "payment_intent"},
    {"object": ["payment_intent"], "status": {"succeeded": True}},
    {"object": "payment_intent", "status": "succeeded", "metadata": "none"},
    {"object": "payment_intent", "status": "a status of tomorrow", "metadata": {}},
    {"error": None},
    {"error": {"type": {"card_error": 1}, "payment_intent": "pi_1"}},
]


def pay(key: str = "order-1", **wanted: Any) -> Payment:
    return charge(BOT, Charge(**wanted), idempotency_key=key).payment


def recover() -> None:
    past = "2020-01-01T00:00Z"
    Payment.objects.filter(settled_at=None).update(next_attempt_at=past)
    Payment.objects.filter(settled_at=None).exclude(lease_until=None).update(lease_until=past)
    settle_open()


def test_an_answer_that_cannot_be_read_is_not_printed(bot, stripe, caplog):
    body = "[" * 50_000 + '"Jane Doe"'
    stripe.control.fault("another_answer", method="POST", path=INTENTS, status=200, body=body)

    told = pay(amount="10")
    recover()

    assert told.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert "[[[" not in caplog.text


@pytest.mark.parametrize("body", STRANGE, ids=json.dumps)
def test_an_answer_of_a_strange_shape_is_unknown_and_the_charge_is_found_again(bot, stripe, body):
    stripe.control.fault("another_answer", method="POST", path=INTENTS, count=2, status=200, body=json.dumps(body))

    told = pay(amount="10")
    recover()
    recover()

    assert told.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1


def test_the_answer_to_another_payment_is_not_taken_for_ones_own(bot, stripe):
    pay("order-1", amount="10")
    [others] = stripe.objects("payment_intents")
    stripe.control.fault("another_answer", method="POST", path=INTENTS, status=200, body=json.dumps(others))

    told = pay("order-2", amount="20")
    recover()

    assert (told.status, told.payment_intent_id) == (Status.UNKNOWN, "")
    settled = Payment.objects.get(idempotency_key="order-2")
    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id not in {"", others["id"]}


def test_the_decline_of_another_payment_is_not_taken_for_ones_own(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")
    pay("order-1", amount="10")
    [others] = stripe.objects("payment_intents")
    decline = {"error": {**others["last_payment_error"], "payment_intent": others}}
    Route.objects.update(customer_id="cus_finance_default")
    stripe.control.fault("another_answer", method="POST", path=INTENTS, status=402, body=json.dumps(decline))

    told = pay("order-2", amount="20")
    recover()

    assert told.status == Status.UNKNOWN
    assert Payment.objects.get(idempotency_key="order-2").status == Status.SUCCEEDED


@pytest.mark.parametrize("path", ["/v1/invoiceitems", *CALLS_OF_A_PRICE])
@pytest.mark.parametrize("body", ["<html>Hello</html>", "", "{}", '{"object": "list", "data": []}'])
def test_a_step_of_an_invoice_that_stripe_did_not_answer_is_not_taken_for_done(bot, stripe, path, body):
    stripe.control.fault("another_answer", method="POST", path=path, status=200, body=body)

    told = pay()
    recover()

    assert told.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert [(each["status"], each["amount_paid"]) for each in stripe.objects("invoices")] == [("paid", 2500)]


@pytest.mark.parametrize("path", ["/v1/invoices/*/void", "/v1/invoices/*"])
@pytest.mark.parametrize("body", ["<html>Hello</html>", "", "{}", '{"object": "list", "data": []}'])
def test_an_invoice_that_only_seems_to_be_void_is_voided(bot, stripe, path, body):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="insufficient_funds")
    Route.objects.update(customer_id="cus_poor")
    stripe.control.fault("status", path=path, method="POST" if "void" in path else "GET", status=503)
    stripe.control.fault("another_answer", path=path, nth=2, status=200, body=body)

    told = pay()
    for _ in range(2):
        recover()

    assert told.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.DECLINED
    assert [each["status"] for each in stripe.objects("invoices")] == ["void"]


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param({"latest_charge": "ch_" + "1" * 300}, id="an id that is too long"),
        pytest.param({"latest_charge": "ch_\x00"}, id="a character that PostgreSQL does not keep"),
    ],
)
def test_the_outcome_is_kept_although_what_stands_beside_it_cannot_be(bot, stripe, spoiled):
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")
    [intent] = stripe.objects("payment_intents")
    stripe.control.fault(
        "another_answer", method="POST", path=INTENTS, status=200, body=json.dumps(intent | spoiled), count=None
    )

    recover()

    settled = Payment.objects.get()
    assert (settled.status, settled.charge_id) == (Status.SUCCEEDED, "")


@pytest.mark.parametrize("path", CALLS_OF_A_PRICE)
def test_nothing_is_done_to_the_invoice_of_another_payment(bot, stripe, path):
    stripe.control.fault("reset_after", method="POST", path="/v1/invoices")
    pay("order-1")
    [others] = stripe.objects("invoices")
    stripe.control.fault("another_answer", method="POST", path=path, status=200, body=json.dumps(others))

    told = pay("order-2")
    touched = [each for each in stripe.requests("POST") if others["id"] in json.dumps(each)]
    recover()

    assert (told.status, touched) == (Status.UNKNOWN, [])
    assert {each.status for each in Payment.objects.all()} == {Status.SUCCEEDED}
    assert {(each["status"], each["amount_paid"]) for each in stripe.objects("invoices")} == {("paid", 2500)}


NO_LISTS = ["<html>Hello</html>", "{}", '{"object": "list"}', '{"object": "list", "data": [], "has_more": true}']


@pytest.mark.parametrize("body", NO_LISTS)
def test_a_search_that_was_not_answered_with_a_list_shows_nothing(bot, stripe, body):
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")
    make_older(A_DAY)
    Payment.objects.update(searches=["2020-01-01T00:00:00+00:00"])
    stripe.control.fault("another_answer", method="GET", path=INTENTS, status=200, body=body)

    recover()
    searched = Payment.objects.get()
    recover()

    assert (searched.status, len(searched.searches)) == (Status.UNKNOWN, 1)
    assert Payment.objects.get().status == Status.SUCCEEDED


@pytest.mark.parametrize("body", ["<html>Hello</html>", "{}", '{"object": "customer", "id": "cus_1"}'])
@pytest.mark.parametrize("path", ["/v1/account", "/v1/customers/*"])
def test_what_was_not_answered_before_a_charge_stops_it(bot, stripe, path, body):
    stripe.control.fault("another_answer", method="GET", path=path, status=200, body=body, count=None)

    with pytest.raises(StripeUnavailable):
        pay(amount="10")

    stripe.control.clear_faults()
    assert stripe.requests("POST") == []
    assert pay(amount="10").status == Status.SUCCEEDED


def test_the_price_of_another_product_is_not_remembered_for_this_one(bot, stripe):
    cap = Cap.objects.create(bot=bot, measure="gross", per="charge", currency="usd", limit=2000)
    stripe.control.seed_price(stripe.account, "price_cheap", product="prod_finance_router", unit_amount=100)
    [cheap] = [price for price in stripe.objects("prices") if price["id"] == "price_cheap"]
    stripe.control.fault("another_answer", method="GET", path="/v1/prices/*", status=200, body=json.dumps(cheap))

    for _ in range(2):
        with pytest.raises(CapExceeded):
            pay()

    assert stripe.objects("invoices") == []
    Cap.objects.filter(id=cap.id).update(limit=2500)
    assert pay().amount == "25.00"


def test_a_refund_whose_answer_was_anothers_is_not_called_made(bot, stripe):
    payment = pay(amount="10")
    refund(BOT, Refund(payment=str(payment.id), amount="1"), idempotency_key="refund-1")
    [others] = stripe.objects("refunds")
    stripe.control.fault("another_answer", method="POST", path="/v1/refunds", status=200, body=json.dumps(others))

    told = refund(BOT, Refund(payment=str(payment.id), amount="2"), idempotency_key="refund-2").payment
    recover()

    assert (told.status, told.result) == (Status.UNKNOWN, None)
    assert {each.amount for each in Payment.objects.filter(kind="refund", status="succeeded")} == {"1.00", "2.00"}
