"""Which columns of the ledger a Stripe object or response fills. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from routing.payments.kinds import Kind
from routing.payments.stripe_api.responses import StripeResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from routing.payments.stripe_api.responses import JSONObject


def response_columns(response: StripeResponse) -> dict[str, Any]:
    """Return the columns that the response to a payment's last call fills, beside those of the payment's objects."""
    columns: dict[str, Any] = {"stripe_request_id": response.request_id}
    if response.is_success:
        return columns
    error = response.error
    return columns | {
        "error": {"http_status": response.http_status, **error.as_json()},
        "payment_intent_id": str(error.payment_intent.get("id", "")),
        "charge_id": error.charge,
    }


def object_columns(kind: Kind, found: JSONObject) -> dict[str, Any]:
    """Return the columns that the payment's object fills; an empty text or None fills nothing."""
    return _COLUMNS[kind](found)


def invoice_columns(invoice: JSONObject) -> dict[str, Any]:
    if invoice.get("object") != "invoice":
        return {}
    columns: dict[str, Any] = {"invoice_id": str(invoice.get("id", ""))}
    # Stripe marks an invoice below its minimum as paid, with nothing paid: what was paid is what counts
    if invoice.get("status") == "paid" and isinstance(invoice.get("amount_paid"), int):
        columns["amount_minor"] = invoice["amount_paid"]
    for paid in (invoice.get("payments") or {}).get("data") or []:
        columns["payment_intent_id"] = str((paid.get("payment") or {}).get("payment_intent") or "")
    return columns


def _renewal_columns(invoice: JSONObject) -> dict[str, Any]:
    """Return the columns of an invoice, what it comes to, and whether Stripe has failed to collect it."""
    columns = invoice_columns(invoice)
    if invoice.get("status") in {"draft", "open"} and isinstance(invoice.get("amount_due"), int):
        columns["amount_minor"] = invoice["amount_due"]
    return columns | {"error": _failed_attempts(invoice)}


def _failed_attempts(invoice: JSONObject) -> dict[str, str] | None:
    count = invoice.get("attempt_count") or 0
    if invoice.get("status") not in {"open", "uncollectible"} or not count:
        return None
    attempts = "once" if count == 1 else f"{count} times"
    again = invoice.get("next_payment_attempt")
    then = f"tries again on {datetime.fromtimestamp(again, UTC):%Y-%m-%d %H:%M} UTC" if again else "does not try again"
    return {"code": "payment_failed", "message": f"Stripe tried to collect it {attempts} without success, and {then}."}


def last_payment_error(intent: JSONObject) -> dict[str, str] | None:
    """Return why the last attempt of a payment intent failed, in Stripe's words; None where it does not say so."""
    return StripeResponse(body={"error": intent.get("last_payment_error")}).error.as_json() or None


def _payment_intent_columns(intent: JSONObject) -> dict[str, Any]:
    charge = intent.get("latest_charge")
    return {
        "payment_intent_id": str(intent.get("id", "")),
        "charge_id": str(charge.get("id", "") if isinstance(charge, dict) else charge or ""),
        "error": last_payment_error(intent),
    }


def _checkout_columns(session: JSONObject) -> dict[str, Any]:
    columns = _created_object_columns(session)
    if isinstance(session.get("amount_total"), int):
        columns["amount_minor"] = session["amount_total"]
    invoice = session.get("invoice")
    collected = invoice_columns(invoice) if isinstance(invoice, dict) else {}
    # a subscription is collected by its invoice, which takes the customer's balance into account
    return columns | {"payment_intent_id": str(session.get("payment_intent") or "")} | collected


def _subscription_columns(subscription: JSONObject) -> dict[str, Any]:
    """Return its own columns and those of its first invoice, which is the latest while the payment is open."""
    if subscription.get("object") == "invoice":
        return invoice_columns(subscription)
    invoice = subscription.get("latest_invoice")
    return (invoice_columns(invoice) if isinstance(invoice, dict) else {}) | _created_object_columns(subscription)


def _created_object_columns(created: JSONObject) -> dict[str, Any]:
    return {"object_id": str(created.get("id", "")), "result": dict(created)}


def _refund_failure(refund: JSONObject) -> dict[str, str] | None:
    """Return Stripe's reason, https://docs.stripe.com/refunds#failed-refunds."""
    reason = refund.get("failure_reason")
    return {"code": str(reason), "message": "The refund could not be paid to the customer."} if reason else None


def _refund_columns(refund: JSONObject) -> dict[str, Any]:
    return _created_object_columns(refund) | {"error": _refund_failure(refund)}


_COLUMNS: Mapping[Kind, Callable[[JSONObject], dict[str, Any]]] = {
    Kind.CHARGE: _payment_intent_columns,
    Kind.INVOICE: invoice_columns,
    Kind.CUSTOMER: _created_object_columns,
    Kind.SUBSCRIPTION: _subscription_columns,
    Kind.RENEWAL: _renewal_columns,
    Kind.REFUND: _refund_columns,
    Kind.CHECKOUT: _checkout_columns,
}
