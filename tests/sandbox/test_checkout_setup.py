"""Checkout sessions that keep a card instead of charging it, and what a page does with cards and customers."""

from __future__ import annotations

from typing import Any

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import open_session, types

BASE = {"mode": "setup", "currency": "usd", "success_url": "https://example.com/done"}


@pytest.fixture
def customer(merchant):
    return merchant.v1.customers.create({"name": "a"}).id


def setup(merchant, **more: Any):
    return merchant.v1.checkout.sessions.create({**BASE, **more})


def test_a_setup_session_keeps_the_card_for_its_customer(merchant, customer):
    session = setup(merchant, customer=customer, setup_intent_data={"metadata": {"a": "b"}})
    waiting = merchant.v1.setup_intents.retrieve(session.setup_intent)

    done = merchant.control.complete_checkout(merchant.account, session.id)

    intent = merchant.v1.setup_intents.retrieve(session.setup_intent, {"expand": ["payment_method"]})
    assert (session.amount_total, session.payment_status, waiting.status) == (
        None, "no_payment_required", "requires_payment_method",
    )  # fmt: skip
    assert (done["status"], intent.status, intent.metadata.to_dict()) == ("complete", "succeeded", {"a": "b"})
    assert intent.payment_method.customer == customer
    assert merchant.v1.customers.retrieve(customer).invoice_settings.default_payment_method is None
    assert types(merchant)[:3] == ["checkout.session.completed", "setup_intent.succeeded", "payment_method.attached"]
    assert merchant.control.objects(merchant.key, "payment_intents") == []


def test_the_card_can_become_the_customers_default_and_then_be_charged(merchant, customer):
    session = setup(merchant, customer=customer)

    merchant.control.complete_checkout(merchant.account, session.id, as_default=True)

    method = merchant.v1.customers.retrieve(customer).invoice_settings.default_payment_method
    params = {"amount": 1000, "currency": "usd", "customer": customer, "payment_method": method, "confirm": True}
    never = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, "off_session": True}
    assert merchant.v1.payment_intents.create({**params, **never}).status == "succeeded"


def test_a_card_that_its_bank_refuses_is_not_kept_and_the_session_stays_open(merchant, customer):
    session = setup(merchant, customer=customer)

    with pytest.raises(RuntimeError, match="insufficient funds"):
        merchant.control.complete_checkout(merchant.account, session.id, card="insufficient_funds")

    assert merchant.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert merchant.v1.setup_intents.retrieve(session.setup_intent).last_setup_error.code == "card_declined"
    assert merchant.v1.customers.payment_methods.list(customer).data == []


def test_a_card_that_will_be_declined_later_can_be_kept(merchant, customer):
    session = setup(merchant, customer=customer)

    assert merchant.control.complete_checkout(merchant.account, session.id, card="declined")["status"] == "complete"


@pytest.mark.parametrize("mode", ["setup", "payment"])
def test_a_page_makes_a_customer_only_where_it_is_to(merchant, mode):
    def opened(**more: Any):
        return setup(merchant, **more) if mode == "setup" else open_session(merchant, merchant.price(500), **more)

    guest = merchant.control.complete_checkout(merchant.account, opened().id)
    kept = merchant.control.complete_checkout(merchant.account, opened(customer_creation="always").id)

    assert guest["customer"] is None
    assert merchant.v1.customers.retrieve(kept["customer"]).object == "customer"


@pytest.mark.parametrize(("more", "kept"), [({}, 0), ({"setup_future_usage": "off_session"}, 1)])
def test_a_payment_keeps_the_card_only_where_it_says_so(merchant, customer, more, kept):
    session = open_session(merchant, merchant.price(500), customer=customer, payment_intent_data=more)

    done = merchant.control.complete_checkout(merchant.account, session.id)

    assert merchant.v1.payment_intents.retrieve(done["payment_intent"]).customer == customer
    assert len(merchant.v1.customers.payment_methods.list(customer).data) == kept


def test_a_setup_session_expires_like_any_other(merchant, customer):
    session = setup(merchant, customer=customer)

    assert merchant.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(RuntimeError, match="nobody can pay it"):
        merchant.control.complete_checkout(merchant.account, session.id)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"line_items": [{"price": "price_1", "quantity": 1}]}, "line_items"),
        ({"payment_intent_data": {"metadata": {"a": "b"}}}, "payment_intent_data"),
        ({"discounts": [{"coupon": "c"}]}, "discounts"),
        ({"currency": None}, "currency"),
    ],
)
def test_a_setup_session_that_stripe_would_refuse_is_refused(merchant, more, param):
    params = {name: value for name, value in {**BASE, **more}.items() if value is not None}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.checkout.sessions.create(params)

    assert caught.value.param == param
