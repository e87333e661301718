"""Undoes what a failed payment left at Stripe, so that nobody pays it later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from routing.errors import StripeUnavailable
from routing.payments.kinds import CHECKOUT_SESSION, INVOICE, KINDS, SUBSCRIPTION, Kind
from routing.payments.states import Status
from routing.payments.stripe_api import gateway, requests

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.execution.sending import Settlement
    from routing.payments.ledger.models import Payment

_FAILED = frozenset({Status.DECLINED, Status.REJECTED, Status.CANCELED})

_UNDOABLE = frozenset({Kind.INVOICE, Kind.SUBSCRIPTION, Kind.CHECKOUT})
"""The kinds that can leave something to pay."""


def clean_up(payment: Payment, keys: AccountKeys, settlement: Settlement) -> Settlement:
    """Undo what a payment that failed has made; until that is done, its outcome is unknown."""
    made = settlement.columns.get(KINDS[payment.kind].type.id_column) if payment.kind in _UNDOABLE else None
    if settlement.status not in _FAILED or not made or undo(payment, keys, str(made)):
        return settlement
    return replace(settlement, status=Status.UNKNOWN)


def undo(payment: Payment, keys: AccountKeys, stripe_id: str) -> bool:
    """Undo the payment's object as long as nothing is paid; return whether nobody can pay it any more."""
    try:
        match payment.kind:
            case Kind.INVOICE:
                return _void_invoice(payment, keys, stripe_id)
            case Kind.SUBSCRIPTION:
                return _cancel_subscription(payment, keys, stripe_id)
            case Kind.CHECKOUT:
                return _expire_session(payment, keys, stripe_id)
    except StripeUnavailable:
        pass  # whether it can be paid is not known
    return False


def _void_invoice(payment: Payment, keys: AccountKeys, invoice_id: str) -> bool:
    """Void the invoice, or delete the draft."""
    path = INVOICE.path_of(invoice_id)
    invoice = gateway.retrieve(keys, path) or {}
    match invoice.get("status"):
        case "void":
            return True
        case "open" | "uncollectible":
            response = gateway.post(keys, f"{path}/void", {}, idempotency_key=_key(payment, "void"))
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


def _cancel_subscription(payment: Payment, keys: AccountKeys, subscription_id: str) -> bool:
    """Cancel a subscription whose first invoice was not paid, and void that; one that is paid for is left."""
    path = SUBSCRIPTION.path_of(subscription_id)
    subscription = gateway.retrieve(keys, path, SUBSCRIPTION.retrieve_params) or {}
    if subscription.get("status") == "incomplete":
        subscription = gateway.delete(keys, path).body or {}
    if subscription.get("status") not in {"canceled", "incomplete_expired"}:
        return False
    invoice = subscription.get("latest_invoice")
    invoice_id = invoice.get("id") if isinstance(invoice, dict) else invoice
    return not invoice_id or _void_invoice(payment, keys, str(invoice_id))


def _expire_session(payment: Payment, keys: AccountKeys, session_id: str) -> bool:
    path = CHECKOUT_SESSION.path_of(session_id)
    session = gateway.retrieve(keys, path) or {}
    if session.get("status") != "open":
        return session.get("status") in {"complete", "expired"}
    response = gateway.post(keys, f"{path}/expire", {}, idempotency_key=_key(payment, "expire"))
    return response.is_success and (response.body or {}).get("status") == "expired"


def _key(payment: Payment, step: str) -> str:
    """Return another key for each attempt of recovery: a stored error would stay for a day."""
    return requests.stripe_key(payment.id, f"{step}-{payment.attempts}")
