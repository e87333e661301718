"""Sends a payment's frozen calls and says what the responses mean. No database connection is held meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from routing.money import to_text
from routing.payments.kinds import KINDS, Kind, payment_id_in
from routing.payments.ledger.columns import invoice_columns, response_columns
from routing.payments.states import Status
from routing.payments.stripe_api import gateway, requests
from routing.payments.stripe_api.outcomes import response_outcome
from routing.payments.stripe_api.responses import StripeResponse

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.ledger.models import Payment
    from routing.payments.stripe_api.responses import JSONObject


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of a payment after its calls were sent."""

    status: Status
    columns: dict[str, Any] = field(default_factory=dict)
    """Columns of the ledger that the response fills."""
    is_failure: bool = False
    """Whether Stripe answered with a server error, which says nothing of what it has done."""
    is_stored: bool = False
    """Whether the response was Stripe's stored one, which it repeats for as long as it keeps the key."""


def send(payment: Payment, keys: AccountKeys, *, send_before: float, is_resend: bool = False) -> Settlement:
    """Send the calls of ``payment`` in order, each at most once for ever, and return what is known then.

    No call is begun after ``send_before``, so that the last one ends within the sender's lease: a process that was
    stopped for so long wakes to a payment that others have settled.
    """
    response, invoice = _send_calls(payment, keys, send_before)
    if _is_over_quote(payment, invoice):
        return Settlement(Status.REJECTED, invoice_columns(invoice) | {"error": _over_quote_error(payment, invoice)})
    kind = Kind(payment.kind)
    return Settlement(
        response_outcome(kind, response, is_resend=is_resend),
        invoice_columns(invoice) | response_columns(kind, response),
        is_failure=(response.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR,
        is_stored=response.is_replay,
    )


def _send_calls(payment: Payment, keys: AccountKeys, send_before: float) -> tuple[StripeResponse, JSONObject]:
    """Send each call until one fails or the last has succeeded; return that response, and the invoice as last seen.

    A call that was sent before is answered as it was then.
    """
    invoice: JSONObject = {}
    for call in payment.request["calls"]:
        if _is_over_quote(payment, invoice):
            break
        response = gateway.post(
            keys,
            **requests.for_invoice(call, str(invoice.get("id", ""))),
            idempotency_key=requests.stripe_key(payment.id, call["step"]),
            version=payment.request["version"],
            send_before=send_before,
        )
        if not _belongs_to(payment, response, invoice):
            response = StripeResponse(request_id=response.request_id)
        if not response.is_success or response.body is None:
            break
        if response.body.get("object") == "invoice":
            invoice = response.body
        if invoice.get("status") == "paid":
            break  # where there was nothing to pay, it is paid by being finalized
    return response, invoice


def _is_over_quote(payment: Payment, invoice: JSONObject) -> bool:
    """Say whether a finalized invoice comes to more than was planned and reserved of the caps."""
    quoted = payment.request.get("max_amount_due")
    return quoted is not None and invoice.get("status") == "open" and invoice.get("amount_due", 0) > quoted


def _over_quote_error(payment: Payment, invoice: JSONObject) -> dict[str, str]:
    due, quoted = (
        to_text(amount, payment.currency) for amount in (invoice["amount_due"], payment.request["max_amount_due"])
    )
    message = (
        f"The invoice comes to {due} instead of {quoted}, because the customer owes a balance at Stripe. "
        "Settle that balance first."
    )
    return {"code": "amount_due_is_more", "message": message}


def _belongs_to(payment: Payment, response: StripeResponse, invoice: JSONObject) -> bool:
    """Say whether a response is about this payment, and neither about another's object nor from a proxy.

    A success is the payment's object, which names it, or the item of its invoice, or that invoice once more.
    """
    kind, found = Kind(payment.kind), response.body or {}
    if not response.is_success:
        intent = response.error.payment_intent
        return "payment_id" not in (intent.get("metadata") or {}) or payment_id_in(intent) == payment.id
    if kind is Kind.INVOICE and found.get("object") == "invoiceitem":
        return bool(invoice) and found.get("invoice", invoice["id"]) == invoice["id"]
    is_same_invoice = not invoice or found.get("id") == invoice["id"]
    is_right_type = found.get("object") == KINDS[kind].type.name
    return is_right_type and is_same_invoice and payment_id_in(found) == payment.id
