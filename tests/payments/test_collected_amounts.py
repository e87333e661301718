"""What Stripe collects is what was decided, capped and recorded, for every kind of payment, or it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Sum

from routing.caps.models import Cap, CapUsage
from routing.errors import BillingError
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.registry.models import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Stripe

BOT = BotId.parse("finance:finance_router_bot")
CUSTOMER = "cus_finance_default"
PRICE = 2000
PAGE = "https://example.com/success"


def charge_price() -> Payment:
    return charge(BOT, Charge(), idempotency_key="order-1").payment


def subscribe_to_price() -> Payment:
    return subscribe(BOT, Subscription(), idempotency_key="order-1").payment


def sell_price() -> Payment:
    return open_checkout(BOT, Checkout(success_url=PAGE), idempotency_key="order-1").payment


def sell_subscription() -> Payment:
    return open_checkout(BOT, Checkout(success_url=PAGE, mode="subscription"), idempotency_key="order-1").payment


KINDS = {
    "a charge of a price": charge_price,
    "a subscription": subscribe_to_price,
    "a page": sell_price,
    "a page that subscribes": sell_subscription,
}
RECURRING = (subscribe_to_price, sell_subscription)


def nothing(stripe: Stripe) -> None:
    pass


def an_owed_balance(stripe: Stripe) -> None:
    stripe.control.seed_customer(stripe.account, CUSTOMER, card="visa", balance=700)


def a_credit(stripe: Stripe) -> None:
    stripe.control.seed_customer(stripe.account, CUSTOMER, card="visa", balance=-700)


def a_coupon(stripe: Stripe) -> None:
    coupon = stripe.control.call(stripe.key, "POST", "/v1/coupons", {"percent_off": 25, "duration": "forever"})
    stripe.control.discount_customer(stripe.account, CUSTOMER, coupon["id"])


def an_unreadable_price(stripe: Stripe) -> None:
    stripe.control.fault("status", method="GET", path="/v1/prices/*", status=500, count=2)


CONDITIONS = {each.__name__: each for each in (nothing, an_owed_balance, a_credit, a_coupon, an_unreadable_price)}


def collected(stripe: Stripe) -> int:
    return sum(paid["amount_captured"] for paid in stripe.objects("charges") if paid["status"] == "succeeded")


def recorded() -> int:
    paid = Payment.objects.filter(status=Status.SUCCEEDED).aggregate(total=Sum("amount_minor"))
    return int(paid["total"] or 0)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("ask", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("currency", ["usd", "eur"])
def test_what_is_collected_is_what_the_ledger_and_the_cap_say(
    bot, stripe, ask: Callable[[], Payment], condition: Callable[[Stripe], None], currency: str
):
    price: dict[str, Any] = {
        "product": "prod_finance_router",
        "unit_amount": 1000,
        "currency": "usd",
        "currency_options": {"eur": {"unit_amount": PRICE}},
    }
    if currency == "usd":
        price |= {"unit_amount": PRICE, "currency_options": {"eur": {"unit_amount": 9000}}}
    if ask in RECURRING:
        price["recurring"] = {"interval": "month"}
    made = stripe.control.call(stripe.key, "POST", "/v1/prices", price)
    Route.objects.filter(region__slug="default").update(price_id=made["id"], currency=currency)
    Cap.objects.create(bot=bot, measure="gross", per="day", currency=currency, limit=PRICE)
    condition(stripe)

    try:
        payment = ask()
        raise_if_failed(payment)
        if payment.kind == "checkout":
            stripe.control.complete_checkout(stripe.account, payment.object_id)
    except BillingError as refused:
        assert not refused.money_may_have_moved  # noqa: PT017 (it may be refused, or not)
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()

    assert collected(stripe) == recorded() <= PRICE
    used = CapUsage.objects.aggregate(used=Sum("used"), reserved=Sum("reserved"))
    assert (used["used"] or 0, used["reserved"] or 0) == (recorded(), 0)
    if condition is nothing:
        assert recorded() == PRICE
