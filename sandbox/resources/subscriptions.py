"""The calls of Stripe's API for subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid, missing
from sandbox.resources import subscribing, subscription_states, subscription_updates, tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json

_LISTED = ("active", "incomplete", "past_due", "paused", "trialing", "unpaid")  # all that have not ended


def _create(call: Call) -> Json:
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    if call.params.get("collection_method") == "send_invoice":
        raise invalid("The sandbox does not send invoices.", param="collection_method")
    if call.params.get("payment_behavior") == "pending_if_incomplete":
        raise invalid("pending_if_incomplete is for updates of a subscription only.", param="payment_behavior")
    tax_rates.check_not_automatic(call.params)
    return subscribing.subscribe(call.work, call.params)


def _retrieve(call: Call) -> Json:
    return call.work.get("subscription", call.id, param="id", status=404)


def _update(call: Call) -> Json:
    return subscription_updates.update(call.work, _retrieve(call), call.params)


def _cancel(call: Call) -> Json:
    """Cancel now. One that never became active expires instead, and its invoice is voided."""
    subscription = _retrieve(call)
    if subscription["status"] in subscription_states.ENDED:
        raise missing("subscription", call.id, param="id", status=404)
    details = {**subscription["cancellation_details"], **call.params.get("cancellation_details", {})}
    subscription = call.work.change(subscription, cancellation_details=details)
    if subscription["status"] == "incomplete":
        return subscribing.expire(call.work, subscription)
    return subscription_states.end(call.work, subscription, "cancellation_requested")


def _list(call: Call) -> Json:
    status = call.params.get("status")
    among = {"all": {}, None: {"status": _LISTED}}.get(status, {"status": [status]})
    return lists.page(call, "subscription", {**lists.asked(call, "customer"), **among})


ENDPOINTS: Endpoints = {
    ("POST", "/v1/subscriptions"): endpoint(
        _create,
        "customer currency items payment_behavior off_session default_payment_method metadata description "
        "collection_method discounts default_tax_rates automatic_tax trial_end trial_from_plan trial_period_days",
    ),
    ("GET", "/v1/subscriptions/{subscription_exposed_id}"): endpoint(_retrieve),
    ("POST", "/v1/subscriptions/{subscription_exposed_id}"): endpoint(
        _update,
        "cancel_at cancel_at_period_end cancellation_details default_payment_method default_tax_rates description "
        "discounts items metadata pause_collection proration_behavior",
    ),
    ("DELETE", "/v1/subscriptions/{subscription_exposed_id}"): endpoint(_cancel, "cancellation_details"),
    ("GET", "/v1/subscriptions"): listing(_list, "customer status created"),
}
