"""What an invoice would come to: of a subscription that somebody thinks of starting, or at a renewal.

https://docs.stripe.com/api/invoices/create_preview
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.endpoints import Call, Endpoints, endpoint
from sandbox.errors import StripeError, invalid
from sandbox.objects import new_id
from sandbox.resources import customer_balance, renewals, subscribing, tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_DETAILS = {"default_tax_rates", "items", "trial_end"}


def _create(call: Call) -> Json:
    """Draft the invoice with the balance in it, and undo all of that."""
    work, params = call.work, call.params
    tax_rates.check_not_automatic(params)
    if params.get("subscription_details", {}).keys() - _DETAILS:
        raise invalid(f"The sandbox previews {', '.join(sorted(_DETAILS))}.", param="subscription_details")
    now = work.now
    draft = _renewal(work, params) if "subscription" in params else _start(work, params)
    shown = {**draft, **customer_balance.apply(work, draft), "billing_reason": "upcoming", "id": new_id("upcoming_in")}
    work.undo()
    work.now = now
    return shown


def _renewal(work: Work, params: dict[str, Any]) -> Json:
    if params.keys() & {"discounts", "subscription_details"}:
        raise invalid("The sandbox previews the renewal of a subscription as it is.", param="subscription_details")
    subscription = work.get("subscription", params["subscription"], param="subscription")
    work.now = subscription["items"]["data"][0]["current_period_end"]
    renewed = renewals.renew(work, subscription)
    return work.get("invoice", renewed["latest_invoice"], param="subscription")


def _start(work: Work, params: dict[str, Any]) -> Json:
    details = params.get("subscription_details", {})
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    if not details.get("items"):
        raise StripeError(
            404,
            "invalid_request_error",
            f"No upcoming invoices for customer: {params['customer']}",
            code="invoice_upcoming_none",
        )
    same: Json = {name: params[name] for name in ("customer", "currency", "discounts") if name in params}
    subscription = subscribing.make(work, {**details, **same})
    return subscribing.draft(work, subscription, "subscription_create")


ENDPOINTS: Endpoints = {
    ("POST", "/v1/invoices/create_preview"): endpoint(
        _create, "customer currency discounts subscription subscription_details automatic_tax"
    )
}
