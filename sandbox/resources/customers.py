"""Customers and the payment method that each pays with by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import NOTICE, made, new_id
from sandbox.resources import customer_balance, payment_methods, subscription_states

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping", "tax_exempt")


def make(work: Work, *, identifier: str | None = None) -> Json:
    chosen = identifier or new_id("cus")
    customer = made(
        "customer",
        id=chosen,
        balance=0,
        created=work.now,
        delinquent=False,
        invoice_prefix=chosen[-8:].upper(),
        invoice_settings=dict.fromkeys(("custom_fields", "default_payment_method", "footer", "rendering_options")),
        metadata={},
        next_invoice_sequence=1,
        preferred_locales=[],
        tax_exempt="none",
    )
    return work.put({**customer, "sandbox_invoice_credit_balance": {}})


def revise(work: Work, customer: Json, params: dict[str, Any]) -> Json:
    """Change the customer as ``params`` say, in the words of Stripe's update."""
    if "payment_method" in params:
        payment_methods.attach(work, params["payment_method"], customer["id"])
    if "balance" in params:
        customer = customer_balance.set_to(work, customer, params["balance"])
    plain = {name: params[name] or None for name in _PLAIN if name in params}
    settings = {**customer["invoice_settings"], **params.get("invoice_settings", {})}
    _check_default(work, settings["default_payment_method"], customer["id"])
    settings["default_payment_method"] = settings["default_payment_method"] or None
    merged = metadata.merged(customer["metadata"], params)
    return work.change(customer, **plain, invoice_settings=settings, metadata=merged)


def bill_once(work: Work, customer: Json, currency: str) -> Json:
    """Give a customer who has no currency the one that an invoice or an item is in; one-off bills may be in any."""
    return customer if customer["currency"] else customer_balance.in_currency(work, customer, currency)


def bill_repeatedly(work: Work, customer: Json, currency: str) -> Json:
    """Give the customer the currency of a new subscription, unless another one holds the customer to its own.

    https://docs.stripe.com/invoicing/multi-currency-customers
    """
    check_currency(work, customer, currency)
    return customer_balance.in_currency(work, customer, currency)


def check_currency(work: Work, customer: Json, currency: str) -> None:
    """Raise Stripe's 400 where what runs for the customer already is in another currency."""
    theirs = customer["currency"]
    if theirs != currency and any(each["currency"] == theirs for each in _running(work, customer)):
        raise invalid(
            "You cannot combine currencies on a single customer. This customer has an active subscription, "
            f"subscription schedule, discount, quote, or invoice item with currency {theirs}."
        )


def _running(work: Work, customer: Json) -> list[Json]:
    subscriptions = [
        each for each in work.newest_first("subscription") if each["status"] not in subscription_states.ENDED
    ]
    waiting = [each for each in work.newest_first("invoiceitem") if each["invoice"] is None]
    return [each for each in (*subscriptions, *waiting) if each["customer"] == customer["id"]]


def _check_default(work: Work, method: str | None, customer: str) -> None:
    if not method:
        return
    found = work.get("payment_method", method, param="invoice_settings[default_payment_method]")
    if found["customer"] != customer:
        raise invalid(
            f"The customer does not have a payment method with the ID {method}. The payment method must be attached to "
            "the customer.",
            param="invoice_settings[default_payment_method]",
            code="resource_missing",
        )


def _create(call: Call) -> Json:
    customer = revise(call.work, make(call.work), call.params)
    call.work.announce("customer.created", customer)
    return customer


def _retrieve(call: Call) -> Json:
    known = call.work.account.objects.get(call.id, {})
    if known.get("object") == "customer" and known.get("deleted"):
        return known
    return call.work.get("customer", call.id, param="id", status=404)


def _update(call: Call) -> Json:
    customer = call.work.get("customer", call.id, param="id", status=404)
    revised = revise(call.work, customer, call.params)
    call.work.announce("customer.updated", revised)
    return revised


def _delete(call: Call) -> Json:
    customer = call.work.get("customer", call.id, param="id", status=404)
    for method in [each for each in call.work.newest_first("payment_method") if each["customer"] == call.id]:
        payment_methods.detach(call.work, method)
    for subscription in [each for each in call.work.newest_first("subscription") if each["customer"] == call.id]:
        if subscription["status"] not in subscription_states.ENDED:
            subscription_states.end(call.work, subscription, "cancellation_requested")
    call.work.announce("customer.deleted", customer)
    return call.work.put({"id": call.id, "object": "customer", "deleted": True, "sandbox": NOTICE})


def _list(call: Call) -> Json:
    return lists.page(call, "customer", lists.asked(call, "email"))


_REVISED = f"{' '.join(_PLAIN)} balance invoice_settings metadata"

ENDPOINTS: Endpoints = {
    ("POST", "/v1/customers"): endpoint(_create, f"{_REVISED} payment_method"),
    ("GET", "/v1/customers/{customer}"): endpoint(_retrieve),
    ("POST", "/v1/customers/{customer}"): endpoint(_update, _REVISED),
    ("DELETE", "/v1/customers/{customer}"): endpoint(_delete),
    ("GET", "/v1/customers"): listing(_list, "email created"),
}
