"""Voids the invoice of a payment that failed, so that nobody pays it later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from routing.errors import StripeUnavailable
from routing.payments.kinds import INVOICE
from routing.payments.states import Status
from routing.payments.stripe_api import gateway, requests

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.execution.sending import Settlement
    from routing.payments.ledger.models import Payment

_FAILED = frozenset({Status.DECLINED, Status.REJECTED})


def clean_up(payment: Payment, keys: AccountKeys, settlement: Settlement) -> Settlement:
    """Void the invoice of a payment that failed; until that is done, its outcome is unknown."""
    invoice_id = settlement.columns.get("invoice_id")
    if settlement.status not in _FAILED or not invoice_id or void_invoice(payment, keys, str(invoice_id)):
        return settlement
    return replace(settlement, status=Status.UNKNOWN)


def void_invoice(payment: Payment, keys: AccountKeys, invoice_id: str) -> bool:
    """Void the invoice, or delete the draft; return whether nobody can pay it any more."""
    path = INVOICE.path_of(invoice_id)
    try:
        invoice = gateway.retrieve(keys, path)
    except StripeUnavailable:
        return False
    match (invoice or {}).get("status"):
        case "void":
            return True
        case "open" | "uncollectible":
            key = requests.stripe_key(payment.id, f"void-{payment.attempts}")  # a stored error would stay for a day
            response = gateway.post(keys, f"{path}/void", {}, idempotency_key=key)
            return response.is_success and (response.body or {}).get("status") == "void"
        case "draft":
            return _delete_items(keys, invoice_id) and _delete(keys, path)
    return False


def _delete_items(keys: AccountKeys, invoice_id: str) -> bool:
    """Delete the items of a draft, which would otherwise wait for the customer's next invoice."""
    items = gateway.get(keys, "/v1/invoiceitems", {"invoice": invoice_id})
    if not items.is_success or items.body is None:
        return False
    return all(_delete(keys, f"/v1/invoiceitems/{item['id']}") for item in items.body["data"])


def _delete(keys: AccountKeys, path: str) -> bool:
    response = gateway.delete(keys, path)
    return response.is_success and (response.body or {}).get("deleted") is True
