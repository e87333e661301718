"""Payment methods: test cards, and whose they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sandbox import cards, lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid, missing
from sandbox.objects import made, new_id

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_NO_DETAILS: dict[str, Any] = {
    "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


def make(work: Work, card: cards.Card, *, customer: str | None = None, identifier: str | None = None) -> Json:
    """Make a payment method for a test card, already attached where a customer is given."""
    return work.put(
        made(
            "payment_method",
            id=identifier or new_id("pm"),
            allow_redisplay="unspecified",
            billing_details=_NO_DETAILS,
            card=_card(card),
            created=work.now,
            customer=customer,
            metadata={},
            type="card",
        )
    )


def to_charge(work: Work, identifier: str, customer: str | None) -> Json:
    """Return the payment method that ``identifier`` names, if ``customer`` may pay with it."""
    method = _found(work, identifier, param="payment_method")
    if method.get("sandbox_used_up"):
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, or was "
            "detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must "
            "attach it to a Customer first.",
            param="payment_method",
        )
    if method["customer"] not in (None, customer):
        raise invalid(
            f"The PaymentMethod {method['id']} does not belong to the Customer that this payment is for.",
            param="payment_method",
        )
    return method


def attach(work: Work, identifier: str, customer: str) -> Json:
    method = _found(work, identifier, param="payment_method")
    work.get("customer", customer, param="customer")
    if method.get("sandbox_used_up") or method["customer"] not in (None, customer):
        raise invalid(
            "The payment method you provided has already been attached to a customer, or was used up.",
            code="payment_method_unexpected_state",
        )
    attached = work.change(method, customer=customer)
    work.announce("payment_method.attached", attached)
    return attached


def detach(work: Work, method: Json) -> Json:
    detached = work.change(method, customer=None, sandbox_used_up=True)
    work.announce("payment_method.detached", detached)
    return detached


def _found(work: Work, identifier: str, *, param: str) -> Json:
    """Return the payment method, made on the spot where Stripe's own name of a test card is given."""
    found = work.find("payment_method", identifier)
    if found:
        return found
    card = cards.named(identifier) if identifier.startswith("pm_card_") else None
    if card is None:
        raise missing("payment_method", identifier, param=param)
    return make(work, card)


def _card(card: cards.Card) -> Json:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": hashlib.sha256(card.last_four.encode()).hexdigest()[:16],
        "funding": "credit",
        "generated_from": None,
        "last4": card.last_four,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": None,
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _create(call: Call) -> Json:
    if call.params.get("type") != "card":
        raise invalid("The sandbox has payment methods of the type card alone.", param="type")
    token = call.params.get("card", {}).get("token")
    card = cards.named(token) if token and token.startswith("tok_") else None
    if token and card is None:
        raise missing("token", token, param="card[token]")
    if card is None:
        raise invalid(
            "Sending card numbers is not possible here. Give a test token instead, for example card[token]=tok_visa.",
            param="card",
        )
    method = make(call.work, card)
    details = {**method["billing_details"], **call.params.get("billing_details", {})}
    return call.work.change(method, billing_details=details, metadata=metadata.merged({}, call.params))


def _retrieve(call: Call) -> Json:
    return call.work.get("payment_method", call.id, param="payment_method", status=404)


def _attach(call: Call) -> Json:
    customer = call.params.get("customer")
    if customer is None:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    return attach(call.work, call.id, customer)


def _detach(call: Call) -> Json:
    method = _retrieve(call)
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    return detach(call.work, method)


def _list(call: Call) -> Json:
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    call.work.get("customer", call.params["customer"], param="customer")
    return lists.page(call, "payment_method", lists.asked(call, "customer", "type"))


def _of_customer(call: Call) -> Json:
    call.work.get("customer", call.id, param="customer", status=404)
    return lists.page(call, "payment_method", {**lists.asked(call, "type"), "customer": [call.id]})


ENDPOINTS: Endpoints = {
    ("POST", "/v1/payment_methods"): endpoint(_create, "type card billing_details metadata"),
    ("GET", "/v1/payment_methods/{payment_method}"): endpoint(_retrieve),
    ("POST", "/v1/payment_methods/{payment_method}/attach"): endpoint(_attach, "customer"),
    ("POST", "/v1/payment_methods/{payment_method}/detach"): endpoint(_detach),
    ("GET", "/v1/payment_methods"): listing(_list, "customer type"),
    ("GET", "/v1/customers/{customer}/payment_methods"): listing(_of_customer, "type"),
}
