"""How a payment's amount, status and error look in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Sum
from django.utils.html import format_html

from routing.admin.shared.appearance import EMPTY, badge, format_amount, format_json
from routing.payments.kinds import Kind
from routing.payments.states import Status

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from routing.payments.ledger.models import Payment

_TONES: dict[Status, str] = {
    Status.RECEIVED: "quiet",
    Status.SENT: "info",
    Status.SUCCEEDED: "good",
    Status.DECLINED: "bad",
    Status.REJECTED: "bad",
    Status.CANCELED: "quiet",
    Status.REQUIRES_ACTION: "warning",
    Status.PROCESSING: "info",
    Status.UNKNOWN: "warning",
    Status.NEEDS_REVIEW: "alarm",
}

MEANINGS: dict[Status, str] = {
    Status.RECEIVED: "The request did not reach Stripe, or Stripe refused it before acting on it. No money moved.",
    Status.SENT: "The request was sent, and Stripe has not responded yet.",
    Status.SUCCEEDED: "Stripe confirmed it.",
    Status.DECLINED: "Stripe or the customer's bank declined it. No money moved.",
    Status.REJECTED: "Stripe rejected the request as invalid. Check the route. No money moved.",
    Status.CANCELED: "It was canceled or it expired. No money moved.",
    Status.REQUIRES_ACTION: "The customer must act first, such as confirm the payment. No money moves until then.",
    Status.PROCESSING: "The bank is still processing it, as with direct debits. The status updates automatically.",
    Status.UNKNOWN: "Stripe's response was lost. The router is looking the payment up at Stripe. Do not charge again.",
    Status.NEEDS_REVIEW: "The router cannot find out what happened. Look it up in Stripe and review the payment.",
}


def status_badge(status: str) -> SafeString:
    member = Status(status)
    return badge(member.label, _TONES[member])


def payment_amount(payment: Payment) -> str:
    """Return the payment's amount; a refund's has a minus sign."""
    amount = format_amount(payment.amount_minor, payment.currency)
    return f"\N{MINUS SIGN}{amount}" if payment.kind == Kind.REFUND and amount != EMPTY else amount


def refunded_amount(payment: Payment) -> SafeString | str:
    """Return how much of the payment was refunded, as in the Stripe Dashboard; a dash while no refund has succeeded."""
    refunds = payment.refunds.filter(status=Status.SUCCEEDED)
    refunded = refunds.aggregate(total=Sum("amount_minor"))["total"]
    if not refunded:
        return EMPTY
    label = "refunded" if refunded == payment.amount_minor else "partially refunded"
    return format_html("{} {}", badge(label, "quiet"), format_amount(refunded, payment.currency))


def format_error(error: dict[str, Any] | None) -> SafeString | str:
    """Return Stripe's message, and its codes below."""
    if not error:
        return "none"
    codes = {name: value for name, value in error.items() if name != "message"}
    return format_html(
        "<p>{}</p>{}", error.get("message") or "Stripe gave no reason.", format_json(codes) if codes else ""
    )
