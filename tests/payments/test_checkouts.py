"""Checkout sessions: opened once, and paid by a person later."""

from __future__ import annotations

import pytest

from routing.errors import InvalidRequest, NoPaymentMethod, NotAllowedByRoute
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.states import Status
from stripe_billing_router.web_addresses import check_web_address
from tests.payments.conftest import BOT
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
        {"mode": "gift"},
        {"mode": "setup", "amount": "10"},
        {"mode": "setup", "quantity": 1},
        {"mode": "setup", "line_items": [{"price": "price_finance_standard"}]},
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


def test_a_customer_that_the_bot_created_gives_a_payment_method_and_is_charged(pay, stripe):
    created = create_customer(BOT, NewCustomer(email="ann@example.com"), idempotency_key="customer-1").payment
    with pytest.raises(NoPaymentMethod, match="has no payment method"):
        pay("order-0", amount="10", customer_id=created.object_id)

    session = open_and_pay_session(stripe, mode="setup", customer_id=created.object_id)
    settled = recover().get(id=session.id)
    charged = pay("order-1", amount="10", customer_id=created.object_id)
    invoiced = pay("order-2", customer_id=created.object_id)

    assert (settled.status, settled.amount_minor, settled.quantity) == (Status.SUCCEEDED, 0, None)
    assert settled.customer_id == created.object_id
    assert charged.status == invoiced.status == Status.SUCCEEDED
    assert {intent["customer"] for intent in stripe.objects("payment_intents")} == {created.object_id}


def test_what_the_customer_gave_last_is_charged_where_nobody_chose_a_default(pay, stripe):
    created = create_customer(BOT, NewCustomer(), idempotency_key="customer-1").payment
    open_and_pay_session(stripe, mode="setup", customer_id=created.object_id)
    open_and_pay_session(stripe, key="session-2", mode="setup", customer_id=created.object_id)

    pay(amount="10", customer_id=created.object_id)

    newest, _ = stripe.client.payment_methods.list({"customer": created.object_id}).data
    assert stripe.objects("payment_intents")[0]["payment_method"] == newest.id


def test_another_bots_customer_is_not_asked_for_a_payment_method(bot, stripe):
    with pytest.raises(NotAllowedByRoute):
        open_session(mode="setup", customer_id="cus_somebody_else")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/thanks?session={CHECKOUT_SESSION_ID}#top",
        "http://localhost/x",
        "http://localhost:3000/x",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/x",
        "HTTPS://EXAMPLE.COM/",
    ],
)
def test_an_address_is_taken(url):
    assert check_web_address("success_url", url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "http://localhost.evil.example/x",
        "http://localhost@evil.example/x",
        "http://127.0.0.1.evil.example/",
        "https://user:password@example.com/",
        "https://user@example.com/",
        "https:///x",
        "https://",
        "https:example.com",
        "https://example.com\\@evil.example/",
        "https://example.com/a b",
        "https://example.com/\n",
        " https://example.com/",
        "https://example.com:x/",
        "https://[::1/",
        "https://exämple.com/",
        "//example.com/",
        "javascript:alert(1)//https://example.com",
        "ftp://example.com",
        "",
        "https://example.com/" + "x" * 2048,
        None,
        7,
    ],
)
def test_what_only_looks_like_an_address_is_refused(url):
    with pytest.raises(InvalidRequest, match=r"^The success_url .*\.$"):
        check_web_address("success_url", url)
