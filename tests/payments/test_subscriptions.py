"""Subscriptions and the customers that a bot created."""

from __future__ import annotations

from typing import Any

import pytest

from routing.errors import Declined, NotAllowedByRoute, RouteUnusable
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.registry.models import Route

BOT = BotId.parse("finance:finance_router_bot")


@pytest.fixture(autouse=True)
def monthly(bot, stripe) -> None:
    """Make the bot's route a price of every month."""
    stripe.control.seed_price(
        stripe.account, "price_monthly", product="prod_finance_router", unit_amount=1500, interval="month"
    )
    Route.objects.filter(region__slug="default").update(price_id="price_monthly")


def subscribed(key: str = "sub-1", **wanted: Any) -> Payment:
    payment = subscribe(BOT, Subscription(**wanted), idempotency_key=key).payment
    raise_if_failed(payment)
    return payment


def test_the_routes_customer_is_subscribed_to_the_routes_price(stripe):
    payment = subscribed(quantity=2)

    [found] = stripe.objects("subscriptions")
    assert (payment.status, payment.object_id) == (Status.SUCCEEDED, found["id"])
    assert (found["customer"], found["status"]) == ("cus_finance_default", "active")
    assert found["metadata"]["payment_id"] == str(payment.id)
    item = found["items"]["data"][0]
    assert (item["price"]["id"], item["quantity"]) == ("price_monthly", 2)


def test_the_same_key_subscribes_once(stripe):
    assert subscribed() == subscribed()
    assert len(stripe.objects("subscriptions")) == 1


def test_a_declined_first_period_leaves_no_subscription(stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")

    with pytest.raises(Declined):
        subscribed()

    assert [found for found in stripe.objects("subscriptions") if found["status"] == "active"] == []


def test_a_price_that_does_not_recur_is_refused(stripe):
    Route.objects.update(price_id="price_finance_standard")

    with pytest.raises(RouteUnusable):
        subscribed()


def test_a_subscription_that_nobody_heard_of_is_found_and_made_once(stripe):
    stripe.control.fault("reset_after", path="/v1/subscriptions")
    assert subscribed().status == Status.UNKNOWN
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")

    settle_open()

    assert Payment.objects.get().status == Status.SUCCEEDED
    assert len(stripe.objects("subscriptions")) == 1


def test_a_bot_may_charge_a_customer_that_it_created(stripe):
    created = create_customer(BOT, NewCustomer(email="a@example.com"), idempotency_key="customer-1").payment
    stripe.control.seed_customer(stripe.account, created.object_id, card="visa")

    payment = charge(BOT, Charge(amount="10", customer_id=created.object_id), idempotency_key="order-1").payment

    assert payment.customer_id == created.object_id
    assert stripe.objects("payment_intents")[0]["customer"] == created.object_id


def test_a_bot_may_not_charge_a_customer_that_it_did_not_create(stripe):
    stripe.control.seed_customer(stripe.account, "cus_somebody", card="visa")

    for customer_id in ("cus_somebody", "cus_nobody"):
        with pytest.raises(NotAllowedByRoute):
            charge(BOT, Charge(amount="10", customer_id=customer_id), idempotency_key="order-1")
        with pytest.raises(NotAllowedByRoute):
            subscribed(customer_id=customer_id)

    assert stripe.requests("POST") == []
