"""Promotion codes: the words by which customers ask for a coupon."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sandbox import lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import coupons

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_NO_RESTRICTIONS = {"first_time_transaction": False, "minimum_amount": None, "minimum_amount_currency": None}


def usable(work: Work, identifier: str, customer: str | None, param: str) -> Json:
    """Return the promotion code, if ``customer`` may redeem it now."""
    code = work.get("promotion_code", identifier, param=param)
    is_used_up = code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]
    is_over = code["expires_at"] is not None and code["expires_at"] <= work.now
    if not code["active"] or is_used_up or is_over:
        raise invalid(f"Promotion code is not active: {identifier}", param=param)
    if code["customer"] not in (None, customer):
        raise invalid("This promotion code cannot be redeemed by this customer.", param=param)
    return code


def named(work: Work, word: str) -> Json:
    """Return the promotion code whose code a customer typed at a page, in capitals or not."""
    for code in work.newest_first("promotion_code"):
        if code["active"] and code["code"].lower() == word.lower():
            return code
    raise invalid(f"This code is invalid: {word}.", param="promotion_code")


def redeem(work: Work, code: Json) -> None:
    work.change(code, times_redeemed=code["times_redeemed"] + 1)


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    coupon = coupons.usable(work, params["promotion"].get("coupon", ""), "promotion[coupon]")
    if "customer" in params:
        work.get("customer", params["customer"], param="customer")
    same = ("active", "customer", "expires_at", "max_redemptions")
    code = work.put(
        made(
            "promotion_code",
            id=new_id("promo"),
            code=params.get("code") or secrets.token_hex(4).upper(),
            created=work.now,
            metadata=metadata.merged({}, params),
            promotion={"coupon": coupon["id"], "type": "coupon"},
            restrictions=_NO_RESTRICTIONS,
            times_redeemed=0,
            **{"active": True, **{name: params[name] for name in same if name in params}},
        )
    )
    work.announce("promotion_code.created", code)
    return code


def _retrieve(call: Call) -> Json:
    return call.work.get("promotion_code", call.id, param="promotion_code", status=404)


def _update(call: Call) -> Json:
    code = _retrieve(call)
    active = call.params.get("active", code["active"])
    revised = call.work.change(code, active=active, metadata=metadata.merged(code["metadata"], call.params))
    call.work.announce("promotion_code.updated", revised)
    return revised


def _list(call: Call) -> Json:
    where = lists.asked(call, "active", "code", "customer")
    if "coupon" in call.params:
        where["promotion"] = [{"coupon": call.params["coupon"], "type": "coupon"}]
    return lists.page(call, "promotion_code", where)


ENDPOINTS: Endpoints = {
    ("POST", "/v1/promotion_codes"): endpoint(
        _create, "promotion code customer active expires_at max_redemptions metadata"
    ),
    ("GET", "/v1/promotion_codes/{promotion_code}"): endpoint(_retrieve),
    ("POST", "/v1/promotion_codes/{promotion_code}"): endpoint(_update, "active metadata"),
    ("GET", "/v1/promotion_codes"): listing(_list, "active code customer coupon created"),
}
