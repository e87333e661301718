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

MOST_CALLS = 4
"""A dispute takes these: itself, its payment intent, which invoice that pays, and the invoice."""

_PATHS = {
    "payment_intent": "/v1/payment_intents/",
    "invoice": "/v1/invoices/",
    "charge": "/v1/charges/",
    "refund": "/v1/refunds/",
    "dispute": "/v1/disputes/",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The object that the event names, and the payment intent or invoice that the router made for it."""

    named: JSONObject
    carrier: JSONObject | None


def concerns_payments(event: WebhookEvent) -> bool:
    return event.object_type in _PATHS and event.object_id != ""


def look(event: WebhookEvent, keys: AccountKeys) -> Seen | None:
    """Return what the event is about, or None where Stripe has it no more; raise ``StripeUnavailable``."""
    named = _read(keys, event.object_type, event.object_id)
    return Seen(named, _carrier(keys, named)) if named else None


def _carrier(keys: AccountKeys, named: JSONObject) -> JSONObject | None:
    """Follow the object to its payment intent, and from one that pays an invoice to that: it has no metadata."""
    if named["object"] == "invoice":
        return named
    if named["object"] != "payment_intent":
        intent_id = named.get("payment_intent")
        return _carrier(keys, intent) if intent_id and (intent := _read(keys, "payment_intent", intent_id)) else None
    if "payment_id" in (named.get("metadata") or {}):
        return named
    invoice_id = _invoice_paid_by(keys, named["id"])
    return _read(keys, "invoice", invoice_id) if invoice_id else None


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
