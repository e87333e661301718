"""Customers, subscriptions, refunds, Checkout Sessions and the balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.caps.models import Cap
from tests.api.examples import BOT, Examples

if TYPE_CHECKING:
    from tests.api.examples import Api

examples = Examples()


@examples.add("POST /api/v1/customers", 201)
def customer(api: Api) -> Any:
    return api.post("/customers", email="bot@example.com", metadata={"team": "finance"})


@examples.add("POST /api/v1/customers", 202)
def customer_with_an_unknown_outcome(api: Api) -> Any:
    api.stripe.control.fault("reset_after", path="/v1/customers")
    return api.post("/customers")


@examples.add("POST /api/v1/customers", 400)
def customer_with_an_email_that_is_no_text(api: Api) -> Any:
    return api.post("/customers", email=7)


@examples.add("POST /api/v1/subscriptions", 201)
def subscription(api: Api) -> Any:
    api.sell_monthly()
    return api.post("/subscriptions")


@examples.add("POST /api/v1/subscriptions", 202)
def subscription_with_an_unknown_outcome(api: Api) -> Any:
    api.sell_monthly()
    api.stripe.control.fault("reset_after", path="/v1/subscriptions")
    return api.post("/subscriptions")


@examples.add("POST /api/v1/subscriptions", 422)
def subscription_to_another_price(api: Api) -> Any:
    return api.post("/subscriptions", price_id="price_finance_eu")


@examples.add("POST /api/v1/subscriptions/{subscription}/cancel", 200)
def canceled_subscription(api: Api) -> Any:
    began = subscription(api).json()["id"]
    return api.post(f"/subscriptions/{began}/cancel", at_period_end=True)


@examples.add("POST /api/v1/subscriptions/{subscription}/cancel", 404)
def cancellation_of_nothing(api: Api) -> Any:
    return api.post("/subscriptions/sub_none/cancel")


@examples.add("POST /api/v1/refunds", 201)
def refund(api: Api) -> Any:
    Cap.objects.create(measure="refunds", per="day", currency="usd", limit=9_00)
    return api.post("/refunds", "refund-1", payment=api.charge().json()["id"], amount="2")


@examples.add("POST /api/v1/refunds", 202)
def refund_with_an_unknown_outcome(api: Api) -> Any:
    payment = api.charge().json()["id"]
    api.stripe.control.fault("reset_after", path="/v1/refunds")
    return api.post("/refunds", "refund-1", payment=payment)


@examples.add("POST /api/v1/refunds", 400)
def refund_of_more_than_was_charged(api: Api) -> Any:
    return api.post("/refunds", "refund-1", payment=api.charge().json()["id"], amount="11")


@examples.add("POST /api/v1/refunds", 404)
def refund_of_an_unknown_payment(api: Api) -> Any:
    return api.post("/refunds", "refund-1", payment="pi_unknown")


@examples.add("POST /api/v1/checkout-sessions", 201)
def checkout_session(api: Api) -> Any:
    return api.post("/checkout-sessions", success_url="https://example.com/s", amount="25")


@examples.add("POST /api/v1/checkout-sessions", 202)
def checkout_session_with_an_unknown_outcome(api: Api) -> Any:
    api.stripe.control.fault("reset_after", path="/v1/checkout/sessions")
    return api.post("/checkout-sessions", success_url="https://example.com/s", amount="25")


@examples.add("POST /api/v1/checkout-sessions", 400)
def checkout_session_without_https(api: Api) -> Any:
    return api.post("/checkout-sessions", success_url="http://example.com/s")


@examples.add("GET /api/v1/balance", 200)
def balance(api: Api) -> Any:
    api.charge()
    return api.get(f"/balance?bot={BOT}")


@examples.add("GET /api/v1/balance", 400)
def balance_of_nobody(api: Api) -> Any:
    return api.get("/balance")


@examples.add("GET /api/v1/balance", 503)
def balance_that_stripe_does_not_give(api: Api) -> Any:
    api.stripe.control.fault("status", status=500, path="/v1/balance", count=None)
    return api.get(f"/balance?bot={BOT}")
