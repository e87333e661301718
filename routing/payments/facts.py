"""Which columns of the ledger an object or an answer of Stripe's fills. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.payments.answers import Answer
from routing.payments.models import Kind

if TYPE_CHECKING:
    from routing.payments.answers import JSONObject


def facts_of(kind: Kind, found: JSONObject) -> dict[str, Any]:
    """Return the columns that an object fills; an empty text or None fills nothing."""
    match kind:
        case Kind.CHARGE:
            return _intent_facts(found)
        case Kind.INVOICE:
            return invoice_facts(found)
        case Kind.CHECKOUT:
            return _checkout_facts(found)
        case Kind.REFUND:
            return _made_facts(found) | {"error": _why_refund_failed(found)}
        case Kind.CUSTOMER | Kind.SUBSCRIPTION:
            return _made_facts(found)


def answer_facts(kind: Kind, answer: Answer) -> dict[str, Any]:
    """Return the columns that the answer to a payment's last call fills."""
    found: dict[str, Any] = {"stripe_request_id": answer.request_id}
    if answer.is_success and answer.body is not None:
        return found | facts_of(kind, answer.body)
    error = answer.error
    intent = str(error.payment_intent.get("id", ""))
    stated = {"http_status": answer.http_status, **error.as_json()}
    return found | {"error": stated, "payment_intent_id": intent, "charge_id": error.charge}


def invoice_facts(invoice: JSONObject) -> dict[str, Any]:
    if invoice.get("object") != "invoice":
        return {}
    facts: dict[str, Any] = {"invoice_id": str(invoice.get("id", ""))}
    # Stripe marks an invoice below its minimum as paid, with nothing paid: what was paid is what counts
    if invoice.get("status") == "paid" and isinstance(invoice.get("amount_paid"), int):
        facts["amount_minor"] = invoice["amount_paid"]
    for paid in (invoice.get("payments") or {}).get("data") or []:
        facts["payment_intent_id"] = str((paid.get("payment") or {}).get("payment_intent") or "")
    return facts


def why_it_failed(intent: JSONObject) -> dict[str, str] | None:
    """Return why a payment intent failed last, in Stripe's words; None where it does not say so."""
    return Answer(body={"error": intent.get("last_payment_error")}).error.as_json() or None


def _intent_facts(intent: JSONObject) -> dict[str, Any]:
    charge = intent.get("latest_charge")
    return {
        "payment_intent_id": str(intent.get("id", "")),
        "charge_id": str(charge.get("id", "") if isinstance(charge, dict) else charge or ""),
        "error": why_it_failed(intent),
    }


def _checkout_facts(session: JSONObject) -> dict[str, Any]:
    facts = _made_facts(session)
    if isinstance(session.get("amount_total"), int):
        facts["amount_minor"] = session["amount_total"]
    return facts | {"payment_intent_id": str(session.get("payment_intent") or "")}


def _made_facts(made: JSONObject) -> dict[str, Any]:
    return {"object_id": str(made.get("id", "")), "result": dict(made)}


def _why_refund_failed(refund: JSONObject) -> dict[str, str] | None:
    """Return Stripe's reason, https://docs.stripe.com/refunds#failed-refunds."""
    reason = refund.get("failure_reason")
    return {"code": str(reason), "message": "The money could not be given back on this way."} if reason else None
