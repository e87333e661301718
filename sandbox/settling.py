"""What becomes of a payment that waits for its customer or its bank, when control says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sandbox import cards
from sandbox.errors import invalid
from sandbox.resources import charging, checkout_completion, invoice_collection, refunds

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

Outcome = Literal["succeeded", "failed"]


def settle(work: Work, identifier: str, outcome: Outcome) -> Json:
    """Settle a payment intent that is ``requires_action`` (3-D Secure) or ``processing`` (a slow bank)."""
    intent = work.get("payment_intent", identifier, param="payment_intent", status=404)
    if intent["status"] not in ("requires_action", "processing"):
        raise invalid(f"{identifier} does not wait for anything: it is {intent['status']}.")
    method = work.get("payment_method", intent["payment_method"], param="payment_method")
    charge = work.find("charge", intent["latest_charge"]) if intent["status"] == "processing" else None
    if outcome == "failed":
        failed = charging.fail(work, intent, method, cards.DECLINED, charge)
        if invoice := _invoice_of(work, failed):
            invoice_collection.fail(work, invoice)
        checkout_completion.settle(work, failed)
        return failed
    if charge is None:
        settled = charging.succeed(work, intent, method)
    else:
        settled = charging.collect(work, intent, charge, intent["amount"])
        work.announce("charge.succeeded", work.account.objects[charge["id"]])
    if invoice := _invoice_of(work, settled):
        invoice_collection.settle(work, invoice, settled)
    checkout_completion.settle(work, settled)
    return settled


def settle_refund(work: Work, identifier: str, outcome: Outcome) -> Json:
    """Settle a refund on a slow bank, which is ``pending``, or let one fail that succeeded."""
    refund = work.get("refund", identifier, param="refund", status=404)
    if refund["status"] != "pending" and (refund["status"], outcome) != ("succeeded", "failed"):
        raise invalid(f"{identifier} is {refund['status']}, so it cannot become {outcome}.")
    return refunds.succeed(work, refund) if outcome == "succeeded" else refunds.fail(work, refund)


def _invoice_of(work: Work, intent: Json) -> Json | None:
    reference = (intent["payment_details"] or {}).get("order_reference")
    return work.get("invoice", reference, param="invoice") if reference else None
