"""Prices: what a unit of a product costs, once or every period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists, metadata
from sandbox.currencies import MOST, check_currency
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import products

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def make(work: Work, *, product: str, currency: str, unit_amount: int, identifier: str | None = None) -> Json:
    check_currency(currency)
    if not 0 <= unit_amount <= MOST:
        raise invalid(f"Invalid unit_amount: must be between 0 and {MOST}.", param="unit_amount")
    return work.put(
        made(
            "price",
            id=identifier or new_id("price"),
            active=True,
            billing_scheme="per_unit",
            created=work.now,
            currency=currency,
            metadata={},
            product=product,
            tax_behavior="unspecified",
            type="one_time",
            unit_amount=unit_amount,
            unit_amount_decimal=str(unit_amount),
        )
    )


def recurring(interval: str, interval_count: int = 1) -> Json:
    return {
        "interval": interval,
        "interval_count": interval_count,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def pricing(price: Json) -> Json:
    """Return what an invoice's line says of the price that it bills."""
    named = {"price": price["id"], "product": price["product"]}
    return {"price_details": named, "type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"]}


def sellable(work: Work, identifier: str, kind: str, *, param: str) -> Json:
    """Return the price, if it and its product are active and it is paid as ``kind`` says: one_time or recurring."""
    price = work.get("price", identifier, param=param)
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.", param=param)
    if not work.get("product", price["product"], param=param)["active"]:
        raise invalid("The price specified belongs to a product that is not active.", param=param)
    if price["type"] != kind:
        raise invalid(
            f"The price specified is set to `type={price['type']}` but this field only accepts prices with "
            f"`type={kind}`.",
            param=param,
        )
    return price


def _create(call: Call) -> Json:
    params = call.params
    if ("product" in params) == ("product_data" in params):
        raise invalid("You must specify exactly one of product and product_data.", param="product")
    if "unit_amount" not in params:
        raise invalid("Missing required param: unit_amount.", param="unit_amount", code="parameter_missing")
    if "product" in params:
        product = call.work.get("product", params["product"], param="product")
    else:
        product = products.make(call.work, name=params["product_data"]["name"])
    price = make(call.work, product=product["id"], currency=params["currency"], unit_amount=params["unit_amount"])
    every = params.get("recurring")
    price = call.work.change(
        price,
        active=params.get("active", True),
        lookup_key=params.get("lookup_key"),
        metadata=metadata.merged({}, params),
        nickname=params.get("nickname"),
        recurring=recurring(every["interval"], every.get("interval_count", 1)) if every else None,
        type="recurring" if every else "one_time",
    )
    call.work.announce("price.created", price)
    return price


def _retrieve(call: Call) -> Json:
    return call.work.get("price", call.id, param="price", status=404)


def _update(call: Call) -> Json:
    price = _retrieve(call)
    plain = {name: call.params[name] for name in ("active", "nickname", "lookup_key") if name in call.params}
    revised = call.work.change(price, **plain, metadata=metadata.merged(price["metadata"], call.params))
    call.work.announce("price.updated", revised)
    return revised


def _list(call: Call) -> Json:
    return lists.page(call, "price", lists.asked(call, "active", "product", "currency", "type"))


ENDPOINTS: Endpoints = {
    ("POST", "/v1/prices"): endpoint(
        _create, "product product_data currency unit_amount recurring active nickname lookup_key metadata"
    ),
    ("GET", "/v1/prices/{price}"): endpoint(_retrieve),
    ("POST", "/v1/prices/{price}"): endpoint(_update, "active nickname lookup_key metadata"),
    ("GET", "/v1/prices"): listing(_list, "active product currency type created"),
}
