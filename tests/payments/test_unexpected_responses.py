"""Responses that are not the one to the request: they are not trusted, and the payment is still made once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routing.caps.models import Cap
from routing.errors import CapExceeded, StripeUnavailable
from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.registry.models import Route
from tests.payments.ledger import A_DAY, make_older, recover
from tests.payments.operations import refund_payment
from tests.payments.stripe_account import use_card

INTENTS = "/v1/payment_intents"
INVOICE_CALLS = ("/v1/invoices", "/v1/invoices/*/finalize", "/v1/invoices/*/pay")

NOT_AN_OBJECT = ["<html>Hello</html>", "", "{}", '{"object": "list", "data": []}']
NOT_A_LIST = ["<html>Hello</html>", "{}", '{"object": "list"}', '{"object": "list", "data": [], "has_more": true}']
NOT_A_PAYMENT_INTENT: list[Any] = [
    None,
    [],
    "ok",
    {},
    {"object": "payment_intent"},
    {"object": ["payment_intent"], "status": {"succeeded": True}},
    {"object": "payment_intent", "status": "succeeded", "metadata": "none"},
    {"object": "payment_intent", "status": "a_new_status", "metadata": {}},
    {"error": None},
    {"error": {"type": {"card_error": 1}, "payment_intent": "pi_1"}},
]


def test_a_response_that_cannot_be_read_is_not_logged(pay, stripe, caplog):
    body = "[" * 50_000 + '"Jane Doe"'
    stripe.control.fault("another_answer", method="POST", path=INTENTS, status=200, body=body)

    unknown = pay(amount="10")
    recover()

    assert unknown.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert "[[[" not in caplog.text


@pytest.mark.parametrize("body", NOT_A_PAYMENT_INTENT, ids=json.dumps)
def test_a_response_of_an_unexpected_shape_is_unknown_and_the_charge_is_found(pay, stripe, body):
    stripe.control.fault("another_answer", method="POST", path=INTENTS, count=2, status=200, body=json.dumps(body))

    unknown = pay(amount="10")
    recover()
    recover()

    assert unknown.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1


def test_the_response_to_another_payment_is_not_taken_for_its_own(pay, stripe):
    pay("order-1", amount="10")
    [other] = stripe.objects("payment_intents")
    stripe.control.fault("another_answer", method="POST", path=INTENTS, status=200, body=json.dumps(other))

    unknown = pay("order-2", amount="20")
    recover()

    assert (unknown.status, unknown.payment_intent_id) == (Status.UNKNOWN, "")
    settled = Payment.objects.get(idempotency_key="order-2")
    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id not in {"", other["id"]}


def test_the_decline_of_another_payment_is_not_taken_for_its_own(pay, stripe):
    use_card(stripe, "declined")
    pay("order-1", amount="10")
    [other] = stripe.objects("payment_intents")
    decline = {"error": {**other["last_payment_error"], "payment_intent": other}}
    Route.objects.update(customer_id="cus_finance_default")
    stripe.control.fault("another_answer", method="POST", path=INTENTS, status=402, body=json.dumps(decline))

    unknown = pay("order-2", amount="20")
    recover()

    assert unknown.status == Status.UNKNOWN
    assert Payment.objects.get(idempotency_key="order-2").status == Status.SUCCEEDED


@pytest.mark.parametrize("path", ["/v1/invoiceitems", *INVOICE_CALLS])
@pytest.mark.parametrize("body", NOT_AN_OBJECT)
def test_an_invoice_call_with_an_unexpected_response_is_not_taken_for_done(pay, stripe, path, body):
    stripe.control.fault("another_answer", method="POST", path=path, status=200, body=body)

    unknown = pay()
    recover()

    assert unknown.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert [(invoice["status"], invoice["amount_paid"]) for invoice in stripe.objects("invoices")] == [("paid", 2500)]


@pytest.mark.parametrize("path", ["/v1/invoices/*/void", "/v1/invoices/*"])
@pytest.mark.parametrize("body", NOT_AN_OBJECT)
def test_an_invoice_that_only_seems_to_be_void_is_voided(pay, stripe, path, body):
    use_card(stripe, "insufficient_funds")
    stripe.control.fault("status", path=path, method="POST" if "void" in path else "GET", status=503)
    stripe.control.fault("another_answer", path=path, nth=2, status=200, body=body)

    unknown = pay()
    for _ in range(2):
        recover()

    assert unknown.status == Status.UNKNOWN
    assert Payment.objects.get().status == Status.DECLINED
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void"]


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"latest_charge": "ch_" + "1" * 300}, id="an id that is too long"),
        pytest.param({"latest_charge": "ch_\x00"}, id="a character that PostgreSQL does not store"),
    ],
)
def test_the_outcome_is_stored_although_another_field_cannot_be(pay, stripe, field):
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")
    [intent] = stripe.objects("payment_intents")
    stripe.control.fault(
        "another_answer", method="POST", path=INTENTS, status=200, body=json.dumps(intent | field), count=None
    )

    recover()

    settled = Payment.objects.get()
    assert (settled.status, settled.charge_id) == (Status.SUCCEEDED, "")


@pytest.mark.parametrize("path", INVOICE_CALLS)
def test_the_invoice_of_another_payment_is_not_changed(pay, stripe, path):
    stripe.control.fault("reset_after", method="POST", path="/v1/invoices")
    pay("order-1")
    [other] = stripe.objects("invoices")
    stripe.control.fault("another_answer", method="POST", path=path, status=200, body=json.dumps(other))

    unknown = pay("order-2")
    changes = [request for request in stripe.requests("POST") if other["id"] in json.dumps(request)]
    recover()

    assert (unknown.status, changes) == (Status.UNKNOWN, [])
    assert {payment.status for payment in Payment.objects.all()} == {Status.SUCCEEDED}
    assert {(invoice["status"], invoice["amount_paid"]) for invoice in stripe.objects("invoices")} == {("paid", 2500)}


@pytest.mark.parametrize("body", NOT_A_LIST)
def test_a_search_whose_response_is_not_a_list_proves_nothing(pay, stripe, body):
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
def test_an_unexpected_response_to_a_read_before_a_charge_stops_it(pay, stripe, path, body):
    stripe.control.fault("another_answer", method="GET", path=path, status=200, body=body, count=None)

    with pytest.raises(StripeUnavailable):
        pay(amount="10")

    stripe.control.clear_faults()
    assert stripe.requests("POST") == []
    assert pay(amount="10").status == Status.SUCCEEDED


def test_another_price_in_the_response_is_not_cached_for_this_one(bot, pay, stripe):
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


def test_the_response_to_another_refund_is_not_taken_for_its_own(pay, stripe):
    payment = pay(amount="10")
    refund_payment(payment, amount="1")
    [other] = stripe.objects("refunds")
    stripe.control.fault("another_answer", method="POST", path="/v1/refunds", status=200, body=json.dumps(other))

    unknown = refund_payment(payment, "refund-2", amount="2")
    recover()

    assert (unknown.status, unknown.result) == (Status.UNKNOWN, None)
    refunds = Payment.objects.filter(kind="refund", status="succeeded")
    assert {refunded.amount for refunded in refunds} == {"1.00", "2.00"}
