"""Reads from Stripe, as it is now, the object that an event names and the one that a payment made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.payments.kinds import (
    CHARGE,
    CUSTOMER,
    DISPUTE,
    INVOICE,
    LEDGER_TYPES,
    PAYMENT_INTENT,
    SUBSCRIPTION,
    is_renewal,
    subscription_details,
)
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.invoices import fetch_paid_invoice_id

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.kinds import StripeType
    from routing.payments.ledger.models import Payment
    from routing.payments.stripe_api.responses import JSONObject
    from routing.payments.webhooks.models import WebhookEvent

MAX_CALLS = 6
"""A dispute takes these: itself, its charge, its payment intent, which invoice that pays, the invoice and its
subscription."""

_TYPES = {name: kept for name, kept in LEDGER_TYPES.items() if kept is not CUSTOMER} | {DISPUTE.name: DISPUTE}
"""The types of object that say something of a payment."""


@dataclass(frozen=True, slots=True)
class FetchedObjects:
    """The object that the event names, and the one that a payment made: the same, or what led to it."""

    named: JSONObject
    payment_object: JSONObject | None
    charge: JSONObject | None
    """The charge that a refund or a dispute is of."""
    renewal: Payment | None = None
    """The renewal that ``payment_object`` is of, as the ledger has it."""


def concerns_payments(event: WebhookEvent) -> bool:
    return event.object_type in _TYPES and event.object_id != ""


def fetch(event: WebhookEvent, keys: AccountKeys) -> FetchedObjects | None:
    """Return the event's objects, or None where Stripe has deleted the one it names; raise ``StripeUnavailable``."""
    named = _retrieve(keys, _TYPES[event.object_type], event.object_id)
    if named is None:
        return None
    return FetchedObjects(named, _fetch_payment_object(keys, named), _fetch_charge(keys, named))


def _fetch_payment_object(keys: AccountKeys, found: JSONObject) -> JSONObject | None:
    """Return the object that has the payment's id in its metadata, from ``found`` back; None where there is none.

    A charge is only a part of its payment intent, and repeats the metadata of that. A renewal has none of its own.
    """
    if is_renewal(found) or ("payment_id" in (found.get("metadata") or {}) and found["object"] != "charge"):
        return found
    stripe_type, stripe_id = _fetch_cause(keys, found)
    cause = _retrieve(keys, stripe_type, stripe_id) if stripe_id else None
    return _fetch_payment_object(keys, cause) if cause else None


def _fetch_charge(keys: AccountKeys, named: JSONObject) -> JSONObject | None:
    match named["object"]:
        case "charge":
            return named
        case "refund" | "dispute" if named.get("charge"):
            return _retrieve(keys, CHARGE, str(named["charge"]))
        case _:
            return None


def _fetch_cause(keys: AccountKeys, found: JSONObject) -> tuple[StripeType, str]:
    """Return type and id of what led to ``found``; an empty id where nothing did."""
    match found["object"]:
        case "payment_intent":
            return INVOICE, fetch_paid_invoice_id(keys, found["id"])
        case "invoice":
            return SUBSCRIPTION, subscription_details(found).get("subscription") or ""
        case _:
            return PAYMENT_INTENT, found.get("payment_intent") or ""


def _retrieve(keys: AccountKeys, stripe_type: StripeType, stripe_id: str) -> JSONObject | None:
    return gateway.retrieve(keys, stripe_type.path_of(stripe_id), stripe_type.retrieve_params)
