"""Changes of a running subscription, up to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import metadata
from sandbox.errors import invalid
from sandbox.resources import discounts, payment_methods, subscription_items, subscription_states, tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_WHEN_ENDED = {"metadata", "cancellation_details", "expand"}


def update(work: Work, subscription: Json, params: dict[str, Any]) -> Json:
    """Change the subscription in the words of Stripe's update; what is billed changes with the next period."""
    if subscription["status"] in subscription_states.ENDED and params.keys() - _WHEN_ENDED:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if subscription["status"] == "incomplete" and params.keys() - {"metadata", "default_payment_method", "expand"}:
        raise invalid("A subscription that is incomplete can only update its metadata and payment method.")
    changed = work.change(
        subscription,
        **_plain(work, subscription, params),
        **_cancellation(work, subscription, params),
        **_pause(params),
        metadata=metadata.merged(subscription["metadata"], params),
    )
    if "items" in params:
        changed = work.change(changed, items=_items(work, changed, params))
    if params.get("discounts") is not None:
        changed = _discounted(work, changed, params["discounts"])
    work.announce("customer.subscription.updated", changed)
    return changed


def _plain(work: Work, subscription: Json, params: dict[str, Any]) -> Json:
    if method := params.get("default_payment_method"):
        payment_methods.to_charge(work, method, subscription["customer"])
    plain: Json = {name: params[name] or None for name in ("default_payment_method", "description") if name in params}
    if "default_tax_rates" in params:
        plain["default_tax_rates"] = tax_rates.chosen(work, params["default_tax_rates"], "default_tax_rates")
    return plain


def _cancellation(work: Work, subscription: Json, params: dict[str, Any]) -> Json:
    details = {**subscription["cancellation_details"], **params.get("cancellation_details", {})}
    if "cancel_at" in params and "cancel_at_period_end" in params:
        raise invalid("You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
    if "cancel_at" not in params and "cancel_at_period_end" not in params:
        return {"cancellation_details": details}
    at_period_end = params.get("cancel_at_period_end", False)
    period_end = subscription["items"]["data"][0]["current_period_end"]
    at = period_end if at_period_end else params.get("cancel_at") or None
    if at is not None and (isinstance(at, str) or at <= work.now):
        raise invalid("The sandbox cancels at a time that is still to come.", param="cancel_at")
    return {
        "cancel_at": at,
        "cancel_at_period_end": at_period_end,
        "canceled_at": work.now if at else None,
        "cancellation_details": {**details, "reason": "cancellation_requested" if at else None},
    }


def _pause(params: dict[str, Any]) -> Json:
    if "pause_collection" not in params:
        return {}
    pause = params["pause_collection"] or None
    return {"pause_collection": pause and {"resumes_at": None, **pause}}


def _items(work: Work, subscription: Json, params: dict[str, Any]) -> Json:
    if params.get("proration_behavior") != "none":
        raise invalid("The sandbox makes no prorations: pass proration_behavior=none.", param="proration_behavior")
    items = {each["id"]: each for each in subscription["items"]["data"]}
    for place, wanted in enumerate(params["items"]):
        known = items.get(wanted.get("id", ""))
        if known is None:
            raise invalid("The sandbox changes items that the subscription has: give their id.", param="items")
        items[known["id"]] = subscription_items.revised(work, known, wanted, f"items[{place}]")
    changed = list(items.values())
    subscription_items.currency(changed, subscription["currency"], {})
    return {**subscription["items"], "data": changed}


def _discounted(work: Work, subscription: Json, wanted: Any) -> Json:
    """Return the subscription with other discounts; the empty string takes them away."""
    if wanted == []:
        return subscription
    currency, customer = subscription["currency"], subscription["customer"]
    taken = discounts.redeem(work, wanted, currency, customer, subscription=subscription["id"])
    return work.change(subscription, discounts=taken)
