"""Invoices from the draft to the money: finalized, then paid or voided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.errors import StripeError, invalid
from sandbox.resources import charging, customer_balance, invoice_payments, payment_intents, payment_methods
from sandbox.resources.invoice_drafts import refusal

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def finalize(work: Work, invoice: Json) -> Json:
    """Open the draft for payment; where there is nothing to collect it is paid at once."""
    if invoice["status"] != "draft":
        raise refusal(invoice, "finalize", "invoice_not_editable")
    opened = work.change(
        invoice,
        status="open",
        status_transitions={**invoice["status_transitions"], "finalized_at": work.now},
        number=f"{invoice['id'][-8:].upper()}-0001",
        effective_at=work.now,
        **customer_balance.apply(work, invoice),
    )
    work.announce("invoice.finalized", opened)
    if not opened["amount_due"]:
        return _paid(work, opened)
    intent = payment_intents.make(
        work,
        amount=opened["amount_due"],
        currency=opened["currency"],
        customer=opened["customer"],
        automatic_payment_methods=None,
        capture_method="automatic",
        description=opened["description"] or f"Payment for Invoice {opened['number']}",
        payment_details={"customer_reference": None, "order_reference": opened["id"]},
    )
    invoice_payments.make(work, opened, intent)
    return opened


def pay(work: Work, invoice: Json, method_id: str | None, *, off_session: bool = True) -> Json:
    """Charge the open invoice. A decline is raised and leaves it open."""
    if invoice["status"] != "open":
        raise refusal(invoice, "pay", "invoice_already_paid" if invoice["status"] == "paid" else None)
    intent = invoice_payments.intent_of(work, invoice)
    if intent["status"] not in payment_intents.CONFIRMABLE:
        raise refusal(invoice, "pay", None)
    customer = work.get("customer", invoice["customer"], param="customer")
    default = invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if not (method_id or default):
        raise invalid(
            "There is no `default_payment_method` set on this Customer or Invoice. Please use the payment_method "
            "parameter or set one of them.",
            code="resource_missing",
        )
    method = payment_methods.to_charge(work, method_id or default, invoice["customer"])
    invoice = work.change(invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)
    try:
        intent = charging.attempt(work, intent, method, off_session=off_session)
    except StripeError:
        work.announce("invoice.payment_failed", invoice)
        raise
    if intent["status"] == "requires_action":
        work.announce("invoice.payment_action_required", invoice)
        raise StripeError(
            402,
            "card_error",
            "This payment requires additional user action before it can be completed successfully.",
            code="invoice_payment_intent_requires_action",
            payment_intent=intent,
        )
    return settle(work, invoice, intent) if intent["status"] == "succeeded" else invoice


def settle(work: Work, invoice: Json, intent: Json) -> Json:
    """Mark the invoice paid by the intent that succeeded."""
    invoice_payments.settle(work, invoice, intent)
    return _paid(work, work.change(invoice, amount_paid=intent["amount_received"]))


def void(work: Work, invoice: Json) -> Json:
    """Cancel the open invoice for good; what the balance had to do with it is undone."""
    if invoice["status"] != "open":
        raise refusal(invoice, "void", None)
    invoice_payments.cancel(work, invoice)
    customer_balance.give_back(work, invoice)
    transitions = {**invoice["status_transitions"], "voided_at": work.now}
    voided = work.change(invoice, status="void", status_transitions=transitions)
    work.announce("invoice.voided", voided)
    return voided


def _paid(work: Work, invoice: Json) -> Json:
    transitions = {**invoice["status_transitions"], "paid_at": work.now}
    paid = work.change(invoice, status="paid", status_transitions=transitions, amount_remaining=0, attempted=True)
    work.announce("invoice.paid", paid)
    work.announce("invoice.payment_succeeded", paid)
    return paid
