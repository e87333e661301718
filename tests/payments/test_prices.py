"""A price is sold in the route's currency, as it was meant to be, and known before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from routing.errors import PermissionMissing, RouteUnusable, StripeUnavailable
from routing.identifiers import BotId
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.states import Status
from routing.payments.stripe_api import prices
from routing.registry.models import Route

BOT = BotId.parse("finance:finance_router_bot")


def charge_price():
    return charge(BOT, Charge(), idempotency_key="order-1").payment


def subscribe_to_price():
    return subscribe(BOT, Subscription(), idempotency_key="order-1").payment


def sell_price():
    return open_checkout(BOT, Checkout(success_url="https://example.com/s"), idempotency_key="order-1").payment


def use_price(stripe: Any, price_id: str = "price_other", *, product: str = "prod_finance_router", **seed: Any) -> None:
    stripe.control.seed_price(
        stripe.account, price_id, product=product, **{"unit_amount": 1000, "currency": "usd", **seed}
    )
    Route.objects.filter(region__slug="default").update(price_id=price_id)


@pytest.mark.parametrize("ask", [charge_price, subscribe_to_price, sell_price])
def test_a_price_in_another_currency_is_refused_before_anything_is_sent(bot, stripe, ask):
    use_price(stripe, currency="eur", interval="month" if ask is subscribe_to_price else None)

    with pytest.raises(RouteUnusable, match="price_other is sold in EUR, and not in USD"):
        ask()

    assert stripe.requests("POST") == []


@pytest.mark.parametrize(
    ("ask", "interval", "reason"),
    [
        (charge_price, "month", "price_other recurs"),
        (sell_price, "month", "price_other recurs"),
        (subscribe_to_price, None, "price_other is paid once"),
    ],
)
def test_a_recurring_price_is_subscribed_to_and_no_other(bot, stripe, ask, interval, reason):
    use_price(stripe, interval=interval)

    with pytest.raises(RouteUnusable, match=reason):
        ask()

    assert stripe.requests("POST") == []


def test_a_price_that_stripe_does_not_have_is_refused(bot, stripe):
    Route.objects.filter(region__slug="default").update(price_id="price_nowhere")

    with pytest.raises(RouteUnusable, match="Stripe has no price price_nowhere"):
        charge_price()


@pytest.mark.parametrize("fault", ["500", "reset_before", "html"])
def test_a_price_that_cannot_be_read_once_stops_the_charge_and_the_same_key_charges_later(bot, stripe, fault):
    strike(stripe, fault)

    with pytest.raises(StripeUnavailable) as refused:
        charge_price()
    assert refused.value.retry_with_same_key
    assert not refused.value.money_may_have_moved
    assert stripe.requests("POST") == []

    stripe.control.clear_faults()
    assert charge_price().status == Status.SUCCEEDED
    assert [paid["amount"] for paid in stripe.objects("charges")] == [2500]


def test_a_key_that_may_not_read_prices_is_told_so(bot, stripe):
    stripe.control.register_keys(stripe.account, stripe.key, denied=["prices"])

    with pytest.raises(PermissionMissing, match="may not read /v1/prices/price_finance_standard") as refused:
        charge_price()

    assert isinstance(refused.value, StripeUnavailable)
    assert refused.value.code == "permission_missing"


def test_a_price_is_read_again_after_some_minutes(bot, stripe):
    charge_price()
    charge(BOT, Charge(), idempotency_key="order-2")
    assert len(stripe.requests("GET", "/v1/prices/price_finance_standard")) == 1

    prices._cache.expire(prices._cache.timer() + prices.CACHED_SECONDS)
    charge(BOT, Charge(), idempotency_key="order-3")

    assert len(stripe.requests("GET", "/v1/prices/price_finance_standard")) == 2


def strike(stripe, fault):
    where = {"method": "GET", "path": "/v1/prices/*", "count": None}
    match fault:
        case "500":
            stripe.control.fault("status", status=500, **where)
        case "reset_before":
            stripe.control.fault("reset_before", **where)
        case "html":
            stripe.control.fault("another_answer", status=404, body="<html>no such page</html>", **where)
