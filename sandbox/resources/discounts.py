"""Discounts: coupons at work, on a customer, a subscription, an invoice or a page.

A discount of a subscription stands in place of its customer's, and an invoice takes over what stands:
https://docs.stripe.com/billing/subscriptions/coupons
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import periods
from sandbox.amounts import Reduction
from sandbox.endpoints import Call, Endpoints, endpoint
from sandbox.errors import invalid, missing
from sandbox.objects import made, new_id
from sandbox.resources import coupons, promotion_codes

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def redeem(work: Work, wanted: Any, currency: str, customer: str | None, **owner: str) -> list[str]:
    """Redeem what a call's ``discounts`` name, for ``owner`` (``invoice=…``); return the discounts' ids."""
    taken = []
    for place, each in enumerate(wanted or []):
        if len(each) != 1:
            raise invalid("Give exactly one of coupon, promotion_code and discount.", param=f"discounts[{place}]")
        if "discount" in each:
            taken.append(str(work.get("discount", each["discount"], param=f"discounts[{place}][discount]")["id"]))
            continue
        coupon, code = _meant(work, each, place, currency, customer)
        if code:
            promotion_codes.redeem(work, code)
        discount = _made(work, coupon, {"customer": customer, "promotion_code": code and code["id"], **owner})
        taken.append(discount["id"])
    return taken


def offered(work: Work, wanted: list[Json], currency: str, customer: str | None) -> list[Reduction]:
    """Return what the coupons on a page would take off, before anybody has redeemed them."""
    meant = [_meant(work, each, place, currency, customer) for place, each in enumerate(wanted)]
    return [each for coupon, _ in meant if (each := _of_coupon(coupon, coupon["id"], currency)) is not None]


def give_customer(work: Work, customer: Json, coupon: str) -> Json:
    """Put a coupon on a customer, as people at the Dashboard can; return the customer."""
    discount = _made(work, coupons.usable(work, coupon, "coupon"), {"customer": customer["id"]})
    given = work.change(customer, discount=discount)
    work.announce("customer.discount.created", discount)
    return given


def inherited(work: Work, customer: Json, currency: str) -> list[str]:
    """Return the ids of what the customer has as discount; an amount in another currency is ignored."""
    discount = customer["discount"]
    return [discount["id"]] if discount and _reduction(work, discount["id"], currency) else []


def standing(work: Work, subscription: Json, customer: Json) -> list[str]:
    """Return the ids of the discounts that the subscription's next invoice takes over."""
    own = [each for each in subscription["discounts"] if _reduction(work, each, subscription["currency"])]
    return own or inherited(work, customer, subscription["currency"])


def reductions(work: Work, identifiers: list[str], currency: str) -> list[Reduction]:
    found = (_reduction(work, each, currency) for each in identifiers)
    return [each for each in found if each is not None]


def use_up(work: Work, invoice: Json) -> None:
    """Take the discounts that hold only once off their customer or subscription, now that an invoice has them."""
    for identifier in invoice["discounts"]:
        discount = work.account.objects[identifier]
        if discount["sandbox_coupon"]["duration"] == "once" and discount["invoice"] is None:
            _remove(work, discount)


def _meant(work: Work, wanted: Json, place: int, currency: str, customer: str | None) -> tuple[Json, Json | None]:
    """Return the coupon that a call names, and the promotion code where it names the coupon by one."""
    param = f"discounts[{place}]"
    code = None
    if "promotion_code" in wanted:
        code = promotion_codes.usable(work, wanted["promotion_code"], customer, f"{param}[promotion_code]")
    coupon = coupons.usable(work, code["promotion"]["coupon"] if code else wanted["coupon"], f"{param}[coupon]")
    if coupon["percent_off"] is None and coupons.amount_off(coupon, currency) is None:
        raise invalid(f"The coupon {coupon['id']} takes off no amount in {currency}.", param=f"{param}[coupon]")
    return coupon, code


def _made(work: Work, coupon: Json, owner: Json) -> Json:
    coupons.redeem(work, coupon)
    months = coupon["duration_in_months"]
    discount = made(
        "discount",
        id=new_id("di"),
        end=periods.later(work.now, "month", months) if months else None,
        source={"coupon": coupon["id"], "type": "coupon"},
        start=work.now,
        **owner,
    )
    return work.put({**discount, "sandbox_coupon": coupon})


def _reduction(work: Work, identifier: str, currency: str) -> Reduction | None:
    """Return what the discount takes off now; None where it has ended, or has no amount in ``currency``."""
    discount = work.account.objects[identifier]
    if discount["end"] is not None and discount["end"] <= work.now:
        return None
    return _of_coupon(discount["sandbox_coupon"], identifier, currency)


def _of_coupon(coupon: Json, name: str, currency: str) -> Reduction | None:
    products = coupon["sandbox_applies_to"].get("products")
    only = frozenset(products) if products else None
    if coupon["percent_off"] is not None:
        return Reduction(name, percent_off=Decimal(str(coupon["percent_off"])), products=only)
    amount = coupons.amount_off(coupon, currency)
    return None if amount is None else Reduction(name, amount_off=amount, products=only)


def _remove(work: Work, discount: Json) -> Json:
    """Take the discount off whoever has it."""
    subscription = work.find("subscription", discount["subscription"] or "")
    if subscription:
        left = [each for each in subscription["discounts"] if each != discount["id"]]
        work.change(subscription, discounts=left)
    elif discount["customer"]:
        work.change(work.get("customer", discount["customer"], param="customer"), discount=None)
    work.announce("customer.discount.deleted", discount)
    return {**discount, "deleted": True}


def _delete_of_customer(call: Call) -> Json:
    customer = call.work.get("customer", call.id, param="customer", status=404)
    if customer["discount"] is None:
        raise missing("discount", call.id, param="customer", status=404)
    return _remove(call.work, call.work.account.objects[customer["discount"]["id"]])


def _delete_of_subscription(call: Call) -> Json:
    subscription = call.work.get("subscription", call.id, param="subscription", status=404)
    if not subscription["discounts"]:
        raise missing("discount", call.id, param="subscription", status=404)
    removed = [_remove(call.work, call.work.account.objects[each]) for each in subscription["discounts"]]
    return removed[-1]


ENDPOINTS: Endpoints = {
    ("DELETE", "/v1/customers/{customer}/discount"): endpoint(_delete_of_customer),
    ("DELETE", "/v1/subscriptions/{subscription_exposed_id}/discount"): endpoint(_delete_of_subscription),
}
