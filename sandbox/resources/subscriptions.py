"""The calls of Stripe's API for subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid, missing
from sandbox.resources import subscribing

if TYPE_CHECKING:
    from sandbox.objects import Json

_NOT_ENDED = ("active", "incomplete")


def _create(call: Call) -> Json:
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    if call.params.get("collection_method") == "send_invoice":
        raise invalid("The sandbox does not send invoices.", param="collection_method")
    if call.params.get("payment_behavior") == "pending_if_incomplete":
        raise invalid("pending_if_incomplete is for updates of a subscription only.", param="payment_behavior")
    return subscribing.subscribe(call.work, call.params)


def _retrieve(call: Call) -> Json:
    return call.work.get("subscription", call.id, param="id", status=404)


def _cancel(call: Call) -> Json:
    subscription = _retrieve(call)
    if subscription["status"] == "canceled":
        raise missing("subscription", call.id, param="id", status=404)
    ended = {**subscription["cancellation_details"], "reason": "cancellation_requested"}
    canceled = call.work.change(
        subscription,
        status="canceled",
        canceled_at=call.work.now,
        ended_at=call.work.now,
        cancellation_details=ended,
    )
    call.work.announce("customer.subscription.deleted", canceled)
    return canceled


def _list(call: Call) -> Json:
    status = call.params.get("status")
    among = {"all": {}, None: {"status": _NOT_ENDED}}.get(status, {"status": [status]})
    return lists.page(call, "subscription", {**lists.asked(call, "customer"), **among})


ENDPOINTS: Endpoints = {
    ("POST", "/v1/subscriptions"): endpoint(
        _create,
        "customer currency items payment_behavior off_session default_payment_method metadata description "
        "collection_method discounts",
    ),
    ("GET", "/v1/subscriptions/{subscription_exposed_id}"): endpoint(_retrieve),
    ("DELETE", "/v1/subscriptions/{subscription_exposed_id}"): endpoint(_cancel),
    ("GET", "/v1/subscriptions"): listing(_list, "customer status created"),
}
