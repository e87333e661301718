"""Coupons: how much is taken off, of what, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.amounts import number
from sandbox.currencies import check_currency
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import NOTICE, made, new_id

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_MOST_PERCENT = 100


def usable(work: Work, identifier: str, param: str) -> Json:
    """Return the coupon, if it can still be redeemed."""
    coupon = _current(work, work.get("coupon", identifier, param=param))
    if not coupon["valid"]:
        raise invalid(f"Coupon expired: {identifier}", param=param, code="coupon_expired")
    return coupon


def redeem(work: Work, coupon: Json) -> None:
    work.change(coupon, times_redeemed=coupon["times_redeemed"] + 1)


def amount_off(coupon: Json, currency: str) -> int | None:
    """Return the amount that the coupon takes off in ``currency``; None where it has none in it."""
    found: int | None = coupon["sandbox_currency_options"].get(currency, {}).get("amount_off")
    return found


def make(work: Work, params: dict[str, Any]) -> Json:
    """Make a coupon in the words of Stripe's create."""
    _check(params)
    identifier = params.get("id") or new_id("coupon").removeprefix("coupon_")[:8].upper()
    if identifier in work.account.objects:
        raise invalid("Coupon already exists.", param="id", code="resource_already_exists")
    options = {currency: dict(each) for currency, each in params.get("currency_options", {}).items()}
    if "amount_off" in params:
        options[params["currency"]] = {"amount_off": params["amount_off"]}
    same = ("amount_off", "currency", "duration_in_months", "max_redemptions", "name", "redeem_by")
    percent = params.get("percent_off")
    coupon = made(
        "coupon",
        id=identifier,
        created=work.now,
        duration=params.get("duration", "once"),
        metadata=metadata.merged({}, params),
        percent_off=None if percent is None else number(percent),
        times_redeemed=0,
        valid=True,
        **{name: params[name] for name in same if name in params},
    )
    return work.put({**coupon, "sandbox_currency_options": options, "sandbox_applies_to": params.get("applies_to", {})})


def _check(params: dict[str, Any]) -> None:
    if ("percent_off" in params) == ("amount_off" in params):
        raise invalid("You must pass exactly one of percent_off and amount_off.", param="percent_off")
    if "percent_off" in params and not 0 < params["percent_off"] <= _MOST_PERCENT:
        raise invalid("Invalid percent_off: must be above 0 and at most 100.", param="percent_off")
    if "amount_off" in params and params["amount_off"] < 1:
        raise _too_small("amount_off")
    if ("currency" in params) != ("amount_off" in params):
        raise invalid("You must pass currency when passing amount_off.", param="currency")
    for currency in (*params.get("currency_options", {}), *filter(None, [params.get("currency")])):
        check_currency(currency)
    if ("duration_in_months" in params) != (params.get("duration") == "repeating"):
        raise invalid("Pass duration_in_months if and only if duration=repeating.", param="duration_in_months")


def _too_small(param: str) -> StripeError:
    return invalid("This value must be greater than or equal to 1.", param=param, code="parameter_invalid_integer")


def _current(work: Work, coupon: Json) -> Json:
    """Return the coupon with ``valid`` as it is now."""
    is_used_up = coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]
    is_over = coupon["redeem_by"] is not None and coupon["redeem_by"] <= work.now
    return {**coupon, "valid": not is_used_up and not is_over}


def _create(call: Call) -> Json:
    coupon = make(call.work, call.params)
    call.work.announce("coupon.created", coupon)
    return coupon


def _retrieve(call: Call) -> Json:
    return _current(call.work, call.work.get("coupon", call.id, param="coupon", status=404))


def _update(call: Call) -> Json:
    coupon = _retrieve(call)
    name = call.params.get("name", coupon["name"])
    revised = call.work.change(coupon, name=name, metadata=metadata.merged(coupon["metadata"], call.params))
    call.work.announce("coupon.updated", revised)
    return revised


def _delete(call: Call) -> Json:
    """Delete the coupon; the discounts that it made already stay."""
    coupon = _retrieve(call)
    call.work.announce("coupon.deleted", coupon)
    return call.work.put({"id": call.id, "object": "coupon", "deleted": True, "sandbox": NOTICE})


def _list(call: Call) -> Json:
    page = lists.page(call, "coupon")
    return {**page, "data": [_current(call.work, each) for each in page["data"]]}


ENDPOINTS: Endpoints = {
    ("POST", "/v1/coupons"): endpoint(
        _create,
        "id name percent_off amount_off currency currency_options duration duration_in_months max_redemptions "
        "redeem_by applies_to metadata",
    ),
    ("GET", "/v1/coupons/{coupon}"): endpoint(_retrieve),
    ("POST", "/v1/coupons/{coupon}"): endpoint(_update, "name metadata"),
    ("DELETE", "/v1/coupons/{coupon}"): endpoint(_delete),
    ("GET", "/v1/coupons"): listing(_list, "created"),
}
