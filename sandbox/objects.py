"""What every object of the sandbox has: the fields of the SDK's class, and the notice that it is not Stripe's.

A field named ``sandbox_…`` is a note of the sandbox's own: no response and no event shows it.
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any

from sandbox import wheel

Json = dict[str, Any]

NOTICE = "This is not Stripe. No money moves."

# Stripe leaves these out where they do not apply or are not expanded, instead of answering null.
_LEFT_OUT = {
    "account": {"company", "deleted", "groups", "individual"},
    "charge": {"authorization_code", "level3", "presentment_details", "refunds", "transfer"},
    "checkout.session": {"line_items", "presentment_details"},
    "coupon": {"applies_to", "currency_options", "deleted"},
    "customer": {"cash_balance", "deleted", "invoice_credit_balance", "sources", "subscriptions", "tax", "tax_ids"},
    "discount": {"deleted"},
    "event": {"account", "context"},
    "invoice": {"confirmation_secret", "deleted", "payments"},
    "payment_intent": {"hooks", "presentment_details"},
    "price": {"currency_options", "deleted", "tiers"},
    "product": {"deleted"},
    "webhook_endpoint": {"deleted", "secret"},
}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def made(kind: str, **values: Any) -> Json:
    """Return a whole object of ``kind``: ``values``, and null for every other field that may be null."""
    empty = _empty(kind)
    whole = {**empty, **values}
    if None in (whole[name] for name in _required(kind)) or values.keys() - wheel.fields(kind).keys():
        raise TypeError(f"A {kind} was made with fields that the SDK's class does not have, or without ones it needs.")
    return whole


def is_left_out(kind: str, name: str) -> bool:
    """Say whether Stripe leaves ``name`` out of a ``kind`` instead of answering null."""
    return name in _LEFT_OUT.get(kind, ()) or (kind == "payment_method" and name in wheel.payment_method_types())


def public(found: Any) -> Any:
    """Return what a response or an event shows of ``found``: everything but the sandbox's own notes."""
    if isinstance(found, list):
        return [public(each) for each in found]
    if not isinstance(found, dict):
        return found
    shown = {name: value for name, value in found.items() if not name.startswith("sandbox_")}
    return {name: value if name == "metadata" else public(value) for name, value in shown.items()}


@cache
def _empty(kind: str) -> Json:
    known = wheel.fields(kind)
    fields = {name: None for name in known if name != "object" and not is_left_out(kind, name)}
    live = {"livemode": True} if "livemode" in known else {}
    return {"id": None, "object": kind, **fields, **live, "sandbox": NOTICE}


@cache
def _required(kind: str) -> list[str]:
    return [name for name, is_nullable in wheel.fields(kind).items() if not is_nullable]
