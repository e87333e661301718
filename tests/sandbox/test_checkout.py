"""Checkout sessions: pages that customers pay, and that expire."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import open_session


def test_a_checkout_session_is_paid_by_control(merchant):
    session = open_session(merchant, merchant.price(500), payment_intent_data={"metadata": {"payment_id": "p"}})

    merchant.control.complete_checkout(merchant.account, session.id)

    done = merchant.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items", "payment_intent"]})
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (done.status, done.payment_status, done.amount_total) == ("complete", "paid", 1500)
    assert done.payment_intent.metadata["payment_id"] == "p"
    assert done.line_items.data[0].quantity == 3


def test_a_customer_at_checkout_answers_the_bank(merchant):
    session = open_session(merchant, merchant.price(500))

    done = merchant.control.complete_checkout(merchant.account, session.id, card="3ds")

    intent = merchant.v1.payment_intents.retrieve(done["payment_intent"], {"expand": ["payment_method"]})
    assert (intent.status, intent.payment_method.card.last4) == ("succeeded", "3184")


def test_a_declined_card_leaves_the_session_open(merchant):
    session = open_session(merchant, merchant.price(500))

    with pytest.raises(RuntimeError, match="declined"):
        merchant.control.complete_checkout(merchant.account, session.id, card="declined")

    assert merchant.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_a_free_session_needs_no_payment(merchant):
    session = open_session(merchant, merchant.price(0))

    done = merchant.control.complete_checkout(merchant.account, session.id)

    assert (done["payment_status"], done["payment_intent"]) == ("no_payment_required", None)


def test_a_session_can_start_a_subscription(merchant):
    payer = merchant.payer()
    session = open_session(
        merchant,
        merchant.price(500, interval="month"),
        mode="subscription",
        customer=payer.customer,
        subscription_data={"metadata": {"payment_id": "p"}},
    )

    done = merchant.control.complete_checkout(merchant.account, session.id)

    subscription = merchant.v1.subscriptions.retrieve(done["subscription"])
    assert (subscription.status, subscription.customer) == ("active", payer.customer)
    assert subscription.metadata["payment_id"] == "p"


def test_an_expired_session_cannot_be_paid(merchant):
    expired = open_session(merchant, merchant.price(500))
    forgotten = open_session(merchant, merchant.price(500))
    merchant.v1.checkout.sessions.expire(expired.id)
    merchant.control.advance_clock(24 * 3600 + 1)

    for session in (expired, forgotten):
        assert merchant.v1.checkout.sessions.retrieve(session.id).status == "expired"
        with pytest.raises(RuntimeError, match="nobody can pay it"):
            merchant.control.complete_checkout(merchant.account, session.id)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": "subscription"}, "line_items"),
        ({"expires_at": 1}, "expires_at"),
        ({"line_items": [{"price": "price_unknown", "quantity": 1}]}, "line_items[0][price]"),
        ({"subscription_data": {"metadata": {"a": "b"}}}, "subscription_data"),
    ],
)
def test_a_session_that_stripe_would_refuse_is_refused(merchant, changes, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        open_session(merchant, merchant.price(500), **changes)

    assert caught.value.param == param


def test_a_session_needs_an_address_to_return_to(merchant):
    line = {"price": merchant.price(500), "quantity": 1}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.checkout.sessions.create({"mode": "payment", "line_items": [line]})

    assert (caught.value.code, caught.value.param) == ("parameter_missing", "success_url")
