"""Sends a payment's frozen calls and says what became of it. No database connection is held meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from routing.money import to_text
from routing.payments import calls, gateway
from routing.payments.answers import Answer
from routing.payments.facts import answer_facts, invoice_facts
from routing.payments.models import Kind, Payment
from routing.payments.outcomes import object_of, outcome
from routing.payments.states import Status

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.answers import JSONObject

_NOTHING_CHARGED = frozenset({Status.DECLINED, Status.REJECTED})


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of a payment after its calls were sent."""

    status: Status
    facts: dict[str, Any] = field(default_factory=dict)
    """Columns of the ledger that the answer fills."""
    is_failure: bool = False
    """Whether Stripe answered with an error of its own, which says nothing of what it has done."""
    is_stored: bool = False
    """Whether the answer was Stripe's stored one, which it will repeat for as long as it keeps the key."""


def send(payment: Payment, keys: AccountKeys, *, send_before: float, is_resend: bool = False) -> Settlement:
    """Send the calls of ``payment`` in order, each at most once for ever, and return what is known then.

    No call is begun after ``send_before``, so that the last one ends within the sender's lease: a process that was
    stopped for so long wakes to a payment that others have settled.
    """
    answer, invoice = _run(payment, keys, send_before)
    if _is_too_much(payment, invoice):
        return Settlement(Status.REJECTED, invoice_facts(invoice) | {"error": _too_much(payment, invoice)})
    status = outcome(Kind(payment.kind), answer, is_resend=is_resend)
    return Settlement(
        status,
        invoice_facts(invoice) | answer_facts(Kind(payment.kind), answer),
        is_failure=(answer.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR,
        is_stored=answer.is_replay,
    )


def clear_up(payment: Payment, keys: AccountKeys, settlement: Settlement) -> Settlement:
    """Void the invoice of a payment that failed, so that nobody pays it later; until that is done, it is unknown."""
    invoice_id = settlement.facts.get("invoice_id")
    if settlement.status not in _NOTHING_CHARGED or not invoice_id or is_voided(payment, keys, str(invoice_id)):
        return settlement
    return replace(settlement, status=Status.UNKNOWN)


def is_voided(payment: Payment, keys: AccountKeys, invoice_id: str) -> bool:
    """Void the invoice, or delete the draft; say whether that is done, so that nobody can pay it any more."""
    path = f"/v1/invoices/{invoice_id}"
    found = gateway.get(keys, path)
    match (found.body or {}).get("status") if found.is_success else None:
        case "void":
            return True
        case "open" | "uncollectible":
            key = calls.stripe_key(payment.id, f"void-{payment.attempts}")  # a stored error would stay for a day
            voided = gateway.post(keys, f"{path}/void", {}, idempotency_key=key)
            return voided.is_success and (voided.body or {}).get("status") == "void"
        case "draft":
            return _is_emptied(keys, invoice_id) and _is_deleted(keys, path)
    return False


def _is_emptied(keys: AccountKeys, invoice_id: str) -> bool:
    """Delete the items of a draft, which would otherwise wait for the customer's next invoice."""
    items = gateway.get(keys, "/v1/invoiceitems", {"invoice": invoice_id})
    if not items.is_success or items.body is None:
        return False
    return all(_is_deleted(keys, f"/v1/invoiceitems/{item['id']}") for item in items.body["data"])


def _is_deleted(keys: AccountKeys, path: str) -> bool:
    answer = gateway.delete(keys, path)
    return answer.is_success and (answer.body or {}).get("deleted") is True


def _run(payment: Payment, keys: AccountKeys, send_before: float) -> tuple[Answer, JSONObject]:
    """Send each call until one fails or the last is answered; return that answer, and the invoice as last seen.

    A call that was sent before is answered as it was then.
    """
    invoice: JSONObject = {}
    for call in payment.request["calls"]:
        if _is_too_much(payment, invoice):
            break
        answer = gateway.post(
            keys,
            **calls.for_invoice(call, str(invoice.get("id", ""))),
            idempotency_key=calls.stripe_key(payment.id, call["step"]),
            version=payment.request["version"],
            send_before=send_before,
        )
        if not _is_own(payment, answer, invoice):
            answer = Answer(request_id=answer.request_id)
        if not answer.is_success or answer.body is None:
            break
        if answer.body.get("object") == "invoice":
            invoice = answer.body
        if invoice.get("status") == "paid":
            break  # where there was nothing to pay, it is paid by being finalized
    return answer, invoice


def _is_too_much(payment: Payment, invoice: JSONObject) -> bool:
    """Say whether a finalized invoice comes to more than was decided and held of the caps."""
    most = payment.request.get("most_due")
    return most is not None and invoice.get("status") == "open" and invoice.get("amount_due", 0) > most


def _too_much(payment: Payment, invoice: JSONObject) -> dict[str, str]:
    due, most = (to_text(amount, payment.currency) for amount in (invoice["amount_due"], payment.request["most_due"]))
    said = f"The invoice comes to {due} and not to {most}: the customer owes a balance at Stripe. Settle that first."
    return {"code": "amount_due_is_more", "message": said}


def _is_own(payment: Payment, answer: Answer, invoice: JSONObject) -> bool:
    """Say whether an answer is about this payment, and not about another's object or from somebody else than Stripe.

    A success is the payment's object, which names it, or the item of its invoice, or that invoice once more.
    """
    kind, found = Kind(payment.kind), answer.body or {}
    if not answer.is_success:
        return _named(answer.error.payment_intent) in {None, str(payment.id)}
    if kind is Kind.INVOICE and found.get("object") == "invoiceitem":
        return bool(invoice) and found.get("invoice", invoice["id"]) == invoice["id"]
    is_next = not invoice or found.get("id") == invoice["id"]
    return found.get("object") == object_of(kind) and _named(found) == str(payment.id) and is_next


def _named(found: JSONObject) -> object:
    return (found.get("metadata") or {}).get("payment_id")
