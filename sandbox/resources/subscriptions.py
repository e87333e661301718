"""Subscriptions: their first invoice is paid when they are made. The sandbox bills no later period."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid, missing
from sandbox.objects import made, new_id
from sandbox.resources import (
    customers,
    invoice_collection,
    invoice_drafts,
    payment_intents,
    payment_methods,
    prices,
    pricing,
)

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_MOST_ITEMS = 20
_NOT_ENDED = ("active", "incomplete")


def subscribe(work: Work, params: dict[str, Any]) -> Json:
    """Make a subscription and pay its first invoice, in the words of Stripe's create."""
    customer = work.get("customer", params["customer"], param="customer")
    method = params.get("default_payment_method") or customer["invoice_settings"]["default_payment_method"]
    behavior = params.get("payment_behavior", "allow_incomplete")
    if method is None and behavior != "default_incomplete":
        raise invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    if method is not None:
        payment_methods.to_charge(work, method, customer["id"])
    subscription = _made(work, params, customer)
    invoice = _first_invoice(work, subscription, customer)
    if behavior != "default_incomplete" and invoice["status"] == "open":
        invoice = _collected(work, invoice, method, params)
    status = "active" if invoice["status"] == "paid" else "incomplete"
    subscription = work.change(subscription, latest_invoice=invoice["id"], status=status)
    work.announce("customer.subscription.created", subscription)
    return subscription


def _collected(work: Work, invoice: Json, method: str, params: dict[str, Any]) -> Json:
    try:
        return invoice_collection.pay(work, invoice, method, off_session=params.get("off_session", False))
    except StripeError as error:
        if not error.is_stored:
            raise
        if params.get("payment_behavior") == "error_if_incomplete":
            _leave_only_the_attempt(work, error.more["payment_intent"])
            raise
        return work.get("invoice", invoice["id"], param="invoice")


def _leave_only_the_attempt(work: Work, intent: Json) -> None:
    """Take everything back but the failed charge: Stripe answers 402 and makes no subscription."""
    charge = work.account.objects.get(intent["latest_charge"])
    work.undo()
    if charge:
        work.put(charge)
        work.announce("charge.failed", charge)
    payment_intents.cancel(work, work.put(intent), "failed_invoice")


def _made(work: Work, params: dict[str, Any], customer: Json) -> Json:
    identifier = new_id("sub")
    items = _items(work, params.get("items", []), identifier)
    currency = _currency(items, params.get("currency"), customer)
    customers.bill_repeatedly(work, customer, currency)
    return work.put(
        made(
            "subscription",
            id=identifier,
            automatic_tax={"disabled_reason": None, "enabled": False, "liability": None},
            billing_cycle_anchor=work.now,
            billing_mode={"flexible": None, "type": "classic"},
            billing_schedules=[],
            cancel_at_period_end=False,
            cancellation_details=dict.fromkeys(("comment", "feedback", "reason")),
            collection_method="charge_automatically",
            created=work.now,
            currency=currency,
            customer=customer["id"],
            default_payment_method=params.get("default_payment_method"),
            default_tax_rates=[],
            description=params.get("description"),
            discounts=[],
            invoice_settings={"account_tax_ids": None, "issuer": {"type": "self"}},
            items=lists.envelope(items, f"/v1/subscription_items?subscription={identifier}"),
            metadata=metadata.merged({}, params),
            start_date=work.now,
            status="incomplete",
            trial_settings={"end_behavior": {"missing_payment_method": "create_invoice"}},
        )
    )


def _items(work: Work, wanted: list[Json], subscription: str) -> list[Json]:
    if not 1 <= len(wanted) <= _MOST_ITEMS:
        raise invalid(f"A subscription has 1 to {_MOST_ITEMS} items.", param="items", code="parameter_missing")
    items = [_item(work, each, subscription, f"items[{place}]") for place, each in enumerate(wanted)]
    periods = [each["price"]["recurring"] for each in items]
    if len({(each["interval"], each["interval_count"]) for each in periods}) > 1:
        raise invalid("All prices on a subscription must have the same period.", param="items")
    return items


def _currency(items: list[Json], wanted: str | None, customer: Json) -> str:
    currency = pricing.currency_for(items[0]["price"], wanted, customer)
    for place, item in enumerate(items):
        pricing.check_sold(item["price"], currency, f"items[{place}][price]")
    return currency


def _item(work: Work, wanted: Json, subscription: str, param: str) -> Json:
    if wanted.keys() - {"price", "quantity", "metadata"} or "price" not in wanted:
        raise invalid("The sandbox takes a price, a quantity and metadata for an item.", param=param)
    price = prices.sellable(work, wanted["price"], "recurring", param=f"{param}[price]")
    every = price["recurring"]
    return made(
        "subscription_item",
        id=new_id("si"),
        created=work.now,
        current_period_start=work.now,
        current_period_end=_later(work.now, every["interval"], every["interval_count"]),
        discounts=[],
        metadata=metadata.merged({}, wanted),
        plan=_plan(price),
        price=price,
        quantity=_quantity(price, wanted, param),
        subscription=subscription,
        tax_rates=[],
    )


def _quantity(price: Json, wanted: Json, param: str) -> int | None:
    if not prices.is_metered(price):
        return int(wanted.get("quantity", 1))
    if "quantity" in wanted:
        raise invalid("You cannot set the quantity of an item whose price is metered.", param=f"{param}[quantity]")
    return None


def _plan(price: Json) -> Json:
    """Return the price in the words of Stripe's older object, which items still carry."""
    same = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product")
    every = price["recurring"]
    return {
        **{name: price[name] for name in (*same, "sandbox")},
        "object": "plan",
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        **every,
    }


def _later(start: int, interval: str, count: int) -> int:
    at = datetime.fromtimestamp(start, UTC)
    if interval in ("day", "week"):
        return int((at + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = at.month - 1 + count * (12 if interval == "year" else 1)
    year, month = at.year + months // 12, months % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())


def _first_invoice(work: Work, subscription: Json, customer: Json) -> Json:
    parent = {
        "quote_details": None,
        "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
        "type": "subscription_details",
    }
    invoice = invoice_drafts.make(
        work, customer, subscription["currency"], billing_reason="subscription_create", parent=parent
    )
    for item in subscription["items"]["data"]:
        invoice = invoice_drafts.add_line(work, invoice, _sold(item, invoice["currency"]), _line_parent(item))
    return invoice_collection.finalize(work, invoice)


def _sold(item: Json, currency: str) -> Json:
    """Return what the line of an item bills. Nothing reports usage to the sandbox, so a metered item has none."""
    price, quantity = item["price"], item["quantity"] or 0
    return {
        "amount": pricing.total(price, currency, quantity) if not prices.is_metered(price) else 0,
        "currency": currency,
        "description": f"{quantity} x {price['product']}",
        "metadata": item["metadata"],
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "pricing": pricing.line(price, currency),
        "quantity": quantity,
    }


def _line_parent(item: Json) -> Json:
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": item["subscription"],
        "subscription_item": item["id"],
    }
    return {"invoice_item_details": None, "subscription_item_details": details, "type": "subscription_item_details"}


def _create(call: Call) -> Json:
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    if call.params.get("collection_method") == "send_invoice":
        raise invalid("The sandbox does not send invoices.", param="collection_method")
    if call.params.get("payment_behavior") == "pending_if_incomplete":
        raise invalid("pending_if_incomplete is for updates of a subscription only.", param="payment_behavior")
    return subscribe(call.work, call.params)


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
        "collection_method",
    ),
    ("GET", "/v1/subscriptions/{subscription_exposed_id}"): endpoint(_retrieve),
    ("DELETE", "/v1/subscriptions/{subscription_exposed_id}"): endpoint(_cancel),
    ("GET", "/v1/subscriptions"): listing(_list, "customer status created"),
}
