"""The items of a subscription: which prices it bills, how many of each, and for which period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import metadata, periods
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import invoice_drafts, prices, pricing, tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_MOST_ITEMS = 20


def make(work: Work, wanted: list[Json], subscription: str) -> list[Json]:
    """Make the items that a call asks for; all of them have the same period, which begins now."""
    if not 1 <= len(wanted) <= _MOST_ITEMS:
        raise invalid(f"A subscription has 1 to {_MOST_ITEMS} items.", param="items", code="parameter_missing")
    items = [_item(work, each, subscription, f"items[{place}]") for place, each in enumerate(wanted)]
    periods_of_items = [each["price"]["recurring"] for each in items]
    if len({(each["interval"], each["interval_count"]) for each in periods_of_items}) > 1:
        raise invalid("All prices on a subscription must have the same period.", param="items")
    return items


def currency(items: list[Json], wanted: str | None, customer: Json) -> str:
    """Return the currency that the subscription is billed in; every price must have it."""
    chosen = pricing.currency_for(items[0]["price"], wanted, customer)
    for place, item in enumerate(items):
        pricing.check_sold(item["price"], chosen, f"items[{place}][price]")
    return chosen


def bill(work: Work, invoice: Json, subscription: Json) -> Json:
    """Add a line to the draft for each item's current period; return the invoice with its new sums."""
    is_trial = subscription["trial_end"] is not None and subscription["trial_end"] > work.now
    for item in subscription["items"]["data"]:
        sold = _sold(item, invoice["currency"], is_trial=is_trial)
        invoice = invoice_drafts.add_line(work, invoice, sold, _line_parent(item))
    return invoice


def revised(work: Work, item: Json, wanted: Json, param: str) -> Json:
    """Return the item with another price or quantity, from its next period on."""
    if wanted.keys() - {"id", "price", "quantity"}:
        raise invalid("The sandbox changes the price and the quantity of an item.", param=param)
    quantity = {} if item["quantity"] is None else {"quantity": item["quantity"]}
    anew = _item(work, {"price": item["price"]["id"], **quantity, **wanted}, item["subscription"], param)
    return {**item, **{name: anew[name] for name in ("price", "plan", "quantity")}}


def _item(work: Work, wanted: Json, subscription: str, param: str) -> Json:
    if wanted.keys() - {"id", "price", "quantity", "metadata", "tax_rates"} or "price" not in wanted:
        raise invalid("The sandbox takes a price, a quantity, tax rates and metadata for an item.", param=param)
    price = prices.sellable(work, wanted["price"], "recurring", param=f"{param}[price]")
    every = price["recurring"]
    return made(
        "subscription_item",
        id=new_id("si"),
        created=work.now,
        current_period_start=work.now,
        current_period_end=periods.later(work.now, every["interval"], every["interval_count"]),
        discounts=[],
        metadata=metadata.merged({}, wanted),
        plan=_plan(price),
        price=price,
        quantity=_quantity(price, wanted, param),
        subscription=subscription,
        tax_rates=tax_rates.chosen(work, wanted.get("tax_rates"), f"{param}[tax_rates]"),
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
    return {
        **{name: price[name] for name in (*same, "sandbox")},
        "object": "plan",
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        **price["recurring"],
    }


def _sold(item: Json, currency: str, *, is_trial: bool) -> Json:
    """Return what the line of an item bills. Nothing reports usage to the sandbox, so a metered item has none."""
    price, quantity = item["price"], item["quantity"] or 0
    return {
        "amount": 0 if is_trial or prices.is_metered(price) else pricing.total(price, currency, quantity),
        "currency": currency,
        "description": f"Trial period for {price['product']}" if is_trial else f"{quantity} x {price['product']}",
        "metadata": item["metadata"],
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "pricing": pricing.line(price, currency),
        "quantity": quantity,
        "tax_rates": item["tax_rates"],
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
