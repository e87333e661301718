"""Prices: what a unit of a product costs, once or every period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.currencies import check_currency
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import made, new_id
from sandbox.resources import pricing, products

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_PLAIN = ("active", "lookup_key", "nickname")


def make(work: Work, params: dict[str, Any], *, product: str, identifier: str | None = None) -> Json:
    """Make a price of ``product`` in the words of Stripe's create."""
    _check_scheme(params)
    options = _options(params)
    own = options[params["currency"]]
    plain = {name: params[name] for name in _PLAIN if name in params}
    every = params.get("recurring")
    shown = {name: own[name] for name in ("tax_behavior", "unit_amount", "unit_amount_decimal")}
    price = made(
        "price",
        id=identifier or new_id("price"),
        billing_scheme=params.get("billing_scheme", "per_unit"),
        created=work.now,
        currency=params["currency"],
        metadata=metadata.merged({}, params),
        product=product,
        recurring=_recurring(every) if every else None,
        tiers_mode=params.get("tiers_mode"),
        transform_quantity=params.get("transform_quantity"),
        type="recurring" if every else "one_time",
        **shown,
        **{"active": True, **plain},
    )
    tiers = {"sandbox_tiers": own["sandbox_tiers"]} if "sandbox_tiers" in own else {}
    return work.put({**price, **tiers, "sandbox_currency_options": options})


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


def is_metered(price: Json) -> bool:
    return bool(price["recurring"] and price["recurring"]["usage_type"] == "metered")


def _options(params: dict[str, Any]) -> dict[str, Json]:
    """Return the amounts by currency, the price's own currency first."""
    own, scheme = params["currency"], params.get("billing_scheme", "per_unit")
    return {own: _option(params, own, scheme, ""), **_other_options(params.get("currency_options", {}), own, scheme)}


def _other_options(given: dict[str, Any], own: str, scheme: str) -> dict[str, Json]:
    if own in given:
        raise invalid(
            f"`{own}` is the currency of the price, so it cannot be one of its currency_options too.",
            param=f"currency_options[{own}]",
        )
    return {
        currency: _option(wanted, currency, scheme, f"currency_options[{currency}]")
        for currency, wanted in given.items()
    }


def _option(wanted: dict[str, Any], currency: str, scheme: str, param: str) -> Json:
    check_currency(currency)
    found = pricing.option(wanted, param)
    if ("sandbox_tiers" in found) != (scheme == "tiered"):
        raise invalid("Give tiers in every currency where billing_scheme=tiered, and only there.", param="tiers")
    return found


def _check_scheme(params: dict[str, Any]) -> None:
    if ("tiers_mode" in params) != (params.get("billing_scheme") == "tiered"):
        raise invalid("You must pass `tiers_mode` if and only if `billing_scheme=tiered`.", param="tiers_mode")
    if "transform_quantity" in params and "tiers_mode" in params:
        raise invalid("`transform_quantity` cannot be combined with `tiers`.", param="transform_quantity")
    if params.get("transform_quantity", {}).get("divide_by", 1) < 1:
        raise _not_positive("transform_quantity[divide_by]")


def _recurring(wanted: dict[str, Any]) -> Json:
    usual = {"interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"}
    every = {**usual, **wanted}
    if every["interval_count"] < 1:
        raise _not_positive("recurring[interval_count]")
    if (every["usage_type"] == "metered") != bool(every["meter"]):
        raise invalid("A price with `usage_type=metered` must be backed by a meter.", param="recurring[meter]")
    return every


def _not_positive(param: str) -> StripeError:
    return invalid("This value must be greater than or equal to 1.", param=param, code="parameter_invalid_integer")


def _create(call: Call) -> Json:
    params = call.params
    if ("product" in params) == ("product_data" in params):
        raise invalid("You must specify exactly one of product and product_data.", param="product")
    if "product" in params:
        product = call.work.get("product", params["product"], param="product")
    else:
        product = products.make(call.work, name=params["product_data"]["name"])
    price = make(call.work, params, product=product["id"])
    call.work.announce("price.created", price)
    return price


def _retrieve(call: Call) -> Json:
    return call.work.get("price", call.id, param="price", status=404)


def _update(call: Call) -> Json:
    price = _retrieve(call)
    plain = {name: call.params[name] for name in _PLAIN if name in call.params}
    revised = call.work.change(
        price,
        **plain,
        metadata=metadata.merged(price["metadata"], call.params),
        sandbox_currency_options=_revised_options(price, call.params),
    )
    call.work.announce("price.updated", revised)
    return revised


def _revised_options(price: Json, params: dict[str, Any]) -> dict[str, Json]:
    """Return the options with those given added or changed, or without any; the price's own amount never changes."""
    known: dict[str, Json] = price["sandbox_currency_options"]
    given = params.get("currency_options", {})
    if given == "":
        return {price["currency"]: known[price["currency"]]}
    return known | _other_options(given, price["currency"], price["billing_scheme"])


def _list(call: Call) -> Json:
    return lists.page(call, "price", lists.asked(call, "active", "product", "currency", "type"))


ENDPOINTS: Endpoints = {
    ("POST", "/v1/prices"): endpoint(
        _create,
        "product product_data currency currency_options unit_amount unit_amount_decimal billing_scheme tiers "
        "tiers_mode transform_quantity recurring active nickname lookup_key metadata",
    ),
    ("GET", "/v1/prices/{price}"): endpoint(_retrieve),
    ("POST", "/v1/prices/{price}"): endpoint(_update, "active nickname lookup_key metadata currency_options"),
    ("GET", "/v1/prices"): listing(_list, "active product currency type created"),
}
