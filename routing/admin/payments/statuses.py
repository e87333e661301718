"""How a payment's status, amount and error look in the admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.html import format_html

from routing.admin.shared.appearance import EMPTY, badge, format_amount, format_json
from routing.payments.kinds import Kind
from routing.payments.states import Status

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from routing.payments.ledger.models import Payment


@dataclass(frozen=True, slots=True)
class DisplayStatus:
    """``tone`` is a badge's; ``meaning`` explains the label in whole sentences."""

    label: str
    tone: str
    meaning: str

    @property
    def badge(self) -> SafeString:
        return badge(self.label, self.tone)


_STATUSES = {
    Status.RECEIVED: (
        "quiet",
        "The request did not reach Stripe, or Stripe refused it before acting on it. No money moved.",
    ),
    Status.SENT: ("info", "The request was sent, and Stripe has not responded yet."),
    Status.SUCCEEDED: ("good", "Stripe confirmed it."),
    Status.DECLINED: ("bad", "Stripe or the customer's bank declined it. No money moved."),
    Status.REJECTED: ("bad", "Stripe rejected the request as invalid. Check the route. No money moved."),
    Status.CANCELED: ("quiet", "It was canceled or it expired. No money moved."),
    Status.REQUIRES_ACTION: (
        "warning",
        "The customer must act first, such as confirm the payment. No money moves until then.",
    ),
    Status.PROCESSING: (
        "info",
        "The bank is still processing it, as with direct debits. The status updates automatically.",
    ),
    Status.UNKNOWN: (
        "warning",
        "Stripe's response was lost. The router is looking the payment up at Stripe. Do not charge again.",
    ),
    Status.NEEDS_REVIEW: (
        "alarm",
        "The router cannot find out what happened. Look it up in Stripe and review the payment.",
    ),
}
"""The tone and the meaning of each status."""

_DISPUTED = DisplayStatus(
    "Disputed", "warning", "It succeeded, and the customer has disputed it. Discrepancies say what to do."
)
_REFUNDED = DisplayStatus("Refunded", "quiet", "It succeeded, and all of it was refunded later.")
_PARTIALLY_REFUNDED = DisplayStatus("Partially refunded", "quiet", "It succeeded, and part of it was refunded later.")
_REFUND_FAILED = DisplayStatus("Failed", "bad", "The refund failed after it had succeeded. It can be made again.")


def display_status(payment: Payment) -> DisplayStatus:
    """Return the payment's status as the Stripe Dashboard shows it, with what happened after it succeeded."""
    if payment.is_disputed:
        return _DISPUTED
    if payment.is_reversed:
        return _REFUND_FAILED
    if payment.amount_refunded_minor:
        return _REFUNDED if payment.amount_refunded_minor == payment.amount_minor else _PARTIALLY_REFUNDED
    status = Status(payment.status)
    return DisplayStatus(status.label, *_STATUSES[status])


def status_badge(status: str) -> SafeString:
    tone, _meaning = _STATUSES[Status(status)]
    return badge(Status(status).label, tone)


def payment_amount(payment: Payment) -> str:
    """Return the payment's amount; a refund's has a minus sign."""
    amount = format_amount(payment.amount_minor, payment.currency)
    return f"\N{MINUS SIGN}{amount}" if payment.kind == Kind.REFUND and amount != EMPTY else amount


def format_error(error: dict[str, Any] | None) -> SafeString | str:
    """Return Stripe's message, and its codes below."""
    if not error:
        return "none"
    codes = {name: value for name, value in error.items() if name != "message"}
    return format_html(
        "<p>{}</p>{}", error.get("message") or "Stripe gave no reason.", format_json(codes) if codes else ""
    )
