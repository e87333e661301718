"""What its invoices make of a subscription: active when they are paid, past due when they fail, and its end.

https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

ENDED = ("canceled", "incomplete_expired")

Reason = Literal["cancellation_requested", "payment_failed"]


def of_invoice(work: Work, invoice: Json) -> Json | None:
    """Return the subscription that the invoice bills."""
    details = (invoice["parent"] or {}).get("subscription_details")
    return work.find("subscription", details["subscription"]) if details else None


def invoice_paid(work: Work, invoice: Json) -> None:
    _become(work, invoice, "active", ("incomplete", "past_due", "unpaid"))


def invoice_failed(work: Work, invoice: Json, *, is_given_up: bool) -> None:
    """Mark the subscription past due, or end it where Stripe gives up on the invoice."""
    subscription = _become(work, invoice, "past_due", ("active", "trialing"))
    if subscription and subscription["status"] == "past_due" and is_given_up:
        end(work, subscription, "payment_failed")


def end(work: Work, subscription: Json, reason: Reason) -> Json:
    """Cancel the subscription now. Its open invoices stay open, and Stripe collects them no more by itself."""
    for invoice in list(work.newest_first("invoice")):
        billed = of_invoice(work, invoice)
        if billed and billed["id"] == subscription["id"] and invoice["status"] in ("draft", "open"):
            work.change(invoice, auto_advance=False, automatically_finalizes_at=None, next_payment_attempt=None)
    details = {**subscription["cancellation_details"], "reason": reason}
    ended = work.change(
        subscription,
        status="canceled",
        canceled_at=subscription["canceled_at"] or work.now,
        ended_at=work.now,
        cancellation_details=details,
    )
    work.announce("customer.subscription.deleted", ended)
    return ended


def _become(work: Work, invoice: Json, status: str, before: tuple[str, ...]) -> Json | None:
    """Give the subscription ``status``, if the invoice is its latest and it was one of ``before``; return it."""
    subscription = of_invoice(work, invoice)
    if subscription is None or subscription["latest_invoice"] != invoice["id"] or subscription["status"] not in before:
        return subscription
    changed = work.change(subscription, status=status)
    work.announce("customer.subscription.updated", changed)
    return changed
