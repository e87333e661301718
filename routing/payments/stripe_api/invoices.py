"""Which invoice a payment intent pays, which the intent itself does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments.stripe_api import gateway

if TYPE_CHECKING:
    from routing.keys import AccountKeys


def fetch_paid_invoice_id(keys: AccountKeys, intent_id: str) -> str:
    """Return the id of the invoice that the payment intent pays; empty where it pays none."""
    of_intent = {"payment": {"type": "payment_intent", "payment_intent": intent_id}}
    paid = next(gateway.list_all(keys, "/v1/invoice_payments", of_intent), {})
    return str(paid.get("invoice", ""))
