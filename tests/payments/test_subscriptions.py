"""Subscriptions and the customers that a bot created."""

from __future__ import annotations

from typing import Any

import pytest

from routing.errors import Declined, NotAllowedByRoute, RouteUnusable
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.states import Status
from routing.registry.models import Route
from tests.payments.conftest import BOT
from tests.payments.ledger import recover
from tests.payments.stripe_account import use_card, use_monthly_price


@pytest.fixture(autouse=True)
def _monthly_price(bot, stripe) -> None:
    use_monthly_price(stripe)


def subscribe_or_raise(**fields: Any) -> Payment:
    payment = subscribe(BOT, Subscription(**fields), idempotency_key="sub-1").payment
    raise_if_failed(payment)
    return payment


def test_the_routes_customer_is_subscribed_to_the_routes_price(stripe):
    payment = subscribe_or_raise(quantity=2)

    [subscription] = stripe.objects("subscriptions")
    assert (payment.status, payment.object_id) == (Status.SUCCEEDED, subscription["id"])
    assert (subscription["customer"], subscription["status"]) == ("cus_finance_default", "active")
    assert subscription["metadata"]["payment_id"] == str(payment.id)
    item = subscription["items"]["data"][0]
    assert (item["price"]["id"], item["quantity"]) == ("price_monthly", 2)


def test_the_same_key_subscribes_once(stripe):
    assert subscribe_or_raise() == subscribe_or_raise()
    assert len(stripe.objects("subscriptions")) == 1


def test_a_declined_first_period_leaves_no_subscription(stripe):
    use_card(stripe, "declined")

    with pytest.raises(Declined):
        subscribe_or_raise()

    assert "active" not in [subscription["status"] for subscription in stripe.objects("subscriptions")]


def test_a_one_time_price_is_refused(stripe):
    Route.objects.update(price_id="price_finance_standard")

    with pytest.raises(RouteUnusable):
        subscribe_or_raise()


def test_a_subscription_whose_response_was_lost_is_found_and_made_once(stripe):
    stripe.control.fault("reset_after", path="/v1/subscriptions")
    assert subscribe_or_raise().status == Status.UNKNOWN

    recover()

    assert Payment.objects.get().status == Status.SUCCEEDED
    assert len(stripe.objects("subscriptions")) == 1


def test_a_bot_may_charge_a_customer_that_it_created(pay, stripe):
    created = create_customer(BOT, NewCustomer(email="a@example.com"), idempotency_key="customer-1").payment
    stripe.control.seed_customer(stripe.account, created.object_id, card="visa")

    payment = pay(amount="10", customer_id=created.object_id)

    assert payment.customer_id == created.object_id
    assert stripe.objects("payment_intents")[0]["customer"] == created.object_id


def test_a_bot_may_not_charge_a_customer_that_it_did_not_create(pay, stripe):
    stripe.control.seed_customer(stripe.account, "cus_somebody", card="visa")

    for customer_id in ("cus_somebody", "cus_nobody"):
        with pytest.raises(NotAllowedByRoute):
            pay(amount="10", customer_id=customer_id)
        with pytest.raises(NotAllowedByRoute):
            subscribe_or_raise(customer_id=customer_id)

    assert stripe.requests("POST") == []
