"""Reads from Stripe, as it is now, what an event is about and the object that carries the payment's id."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from routing.errors import StripeUnavailable
from routing.payments import gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.keys import AccountKeys
    from routing.payments.answers import JSONObject
    from routing.payments.webhook_events import WebhookEvent

MOST_CALLS = 5
"""A dispute takes these: itself, its payment intent, which invoice that pays, the invoice, and its subscription."""

_PATHS = {
    "payment_intent": "/v1/payment_intents/",
    "invoice": "/v1/invoices/",
    "subscription": "/v1/subscriptions/",
    "checkout.session": "/v1/checkout/sessions/",
    "refund": "/v1/refunds/",
    "charge": "/v1/charges/",
    "dispute": "/v1/disputes/",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The object that the event names, and the one that a payment of the router's made: the same, or what led to it."""

    named: JSONObject
    carrier: JSONObject | None


def concerns_payments(event: WebhookEvent) -> bool:
    return event.object_type in _PATHS and event.object_id != ""


def look(event: WebhookEvent, keys: AccountKeys) -> Seen | None:
    """Return what the event is about, or None where Stripe has it no more; raise ``StripeUnavailable``."""
    named = _read(keys, event.object_type, event.object_id)
    return Seen(named, _carrier(keys, named)) if named else None


def _carrier(keys: AccountKeys, found: JSONObject) -> JSONObject | None:
    """Return the object that has the payment's id in its metadata, from ``found`` back; None where there is none.

    A charge is only a part of its payment intent, and repeats the metadata of that.
    """
    if "payment_id" in (found.get("metadata") or {}) and found["object"] != "charge":
        return found
    kind, identifier = _before(keys, found)
    before = _read(keys, kind, identifier) if identifier else None
    return _carrier(keys, before) if before else None


def _before(keys: AccountKeys, found: JSONObject) -> tuple[str, str]:
    """Return kind and id of what led to ``found``; an empty id where nothing did."""
    match found["object"]:
        case "payment_intent":
            return "invoice", _invoice_paid_by(keys, found["id"])
        case "invoice":
            of_subscription = (found.get("parent") or {}).get("subscription_details") or {}
            return "subscription", of_subscription.get("subscription") or ""
        case _:
            return "payment_intent", found.get("payment_intent") or ""


def _invoice_paid_by(keys: AccountKeys, intent_id: str) -> str:
    payment = {"type": "payment_intent", "payment_intent": intent_id}
    paid = _get(keys, "/v1/invoice_payments", {"payment": payment, "limit": 1})
    return next((str(found["invoice"]) for found in (paid or {}).get("data") or []), "")


def _read(keys: AccountKeys, kind: str, identifier: str) -> JSONObject | None:
    return _get(keys, _PATHS[kind] + identifier, {"expand": ["payments"]} if kind == "invoice" else {})


def _get(keys: AccountKeys, path: str, params: Mapping[str, Any]) -> JSONObject | None:
    """Return what Stripe has there, or None where it has nothing."""
    answer = gateway.get(keys, path, params)
    if answer.http_status == HTTPStatus.NOT_FOUND:
        return None
    if not answer.is_success or answer.body is None:
        raise StripeUnavailable(f"Stripe did not give {path}: {answer.error.message or 'there was no answer.'}")
    return answer.body
