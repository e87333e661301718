"""Invoices from the draft to the money: finalized, then paid or voided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.errors import StripeError, invalid
from sandbox.resources import (
    charging,
    customer_balance,
    discounts,
    invoice_payments,
    payment_intents,
    payment_methods,
    subscription_states,
)
from sandbox.resources.invoice_drafts import refusal

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


_UNPAID = ("open", "uncollectible")
_DAY = 24 * 60 * 60  # seconds
_RETRY_AFTER = (3 * _DAY, 5 * _DAY, 7 * _DAY)  # each after the attempt before it


def finalize(work: Work, invoice: Json) -> Json:
    """Open the draft for payment; where there is nothing to collect it is paid at once."""
    if invoice["status"] != "draft":
        raise refusal(invoice, "finalize", "invoice_not_editable")
    opened = work.change(
        invoice,
        status="open",
        status_transitions={**invoice["status_transitions"], "finalized_at": work.now},
        number=f"{invoice['id'][-8:].upper()}-0001",
        automatically_finalizes_at=None,
        effective_at=work.now,
        **customer_balance.apply(work, invoice),
    )
    discounts.use_up(work, opened)
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
    secret = {"client_secret": intent["client_secret"], "type": "payment_intent"}
    return work.change(opened, sandbox_confirmation_secret=secret)


def pay(work: Work, invoice: Json, method_id: str | None, *, off_session: bool = True) -> Json:
    """Charge the open invoice. A decline is raised and leaves it open."""
    if invoice["status"] not in _UNPAID:
        raise refusal(invoice, "pay", "invoice_already_paid" if invoice["status"] == "paid" else None)
    intent = invoice_payments.intent_of(work, invoice)
    if intent["status"] not in payment_intents.CONFIRMABLE:
        raise refusal(invoice, "pay", None)
    chosen = method_id or _default_method(work, invoice)
    if chosen is None:
        raise invalid(
            "There is no `default_payment_method` set on this Customer or Invoice. Please use the payment_method "
            "parameter or set one of them.",
            code="resource_missing",
        )
    method = payment_methods.to_charge(work, chosen, invoice["customer"])
    invoice = _attempted(work, invoice)
    try:
        intent = charging.attempt(work, intent, method, off_session=off_session)
    except StripeError:
        fail(work, invoice)
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


def collect(work: Work, invoice: Json) -> Json:
    """Charge the open invoice as Stripe does by itself, whatever comes of it."""
    if _default_method(work, invoice) is None:
        return fail(work, _attempted(work, invoice))
    try:
        return pay(work, invoice, None)
    except StripeError as error:
        if not error.is_stored:  # the payment method cannot be charged at all
            return fail(work, _attempted(work, invoice))
        return work.get("invoice", invoice["id"], param="invoice")


def fail(work: Work, invoice: Json) -> Json:
    """Say that the invoice could not be paid; where Stripe collects it by itself, set the next attempt or give up.

    https://docs.stripe.com/billing/revenue-recovery/smart-retries, whose schedule is a setting of the account.
    """
    if invoice["auto_advance"]:
        retry = invoice["attempt_count"] - 1
        at = work.now + _RETRY_AFTER[retry] if retry < len(_RETRY_AFTER) else None
        invoice = work.change(invoice, next_payment_attempt=at, auto_advance=at is not None)
        _mark_delinquent(work, invoice, is_delinquent=True)
    work.announce("invoice.payment_failed", invoice)
    is_given_up = invoice["attempt_count"] > len(_RETRY_AFTER) and invoice["next_payment_attempt"] is None
    subscription_states.invoice_failed(work, invoice, is_given_up=is_given_up)
    return invoice


def settle(work: Work, invoice: Json, intent: Json) -> Json:
    """Mark the invoice paid by the intent that succeeded."""
    invoice_payments.settle(work, invoice, intent)
    return _paid(work, work.change(invoice, amount_paid=intent["amount_received"]))


def void(work: Work, invoice: Json) -> Json:
    """Cancel the open invoice for good; what the balance had to do with it is undone."""
    if invoice["status"] not in _UNPAID:
        raise refusal(invoice, "void", None)
    invoice_payments.cancel(work, invoice)
    customer_balance.give_back(work, invoice)
    transitions = {**invoice["status_transitions"], "voided_at": work.now}
    voided = work.change(invoice, status="void", status_transitions=transitions)
    work.announce("invoice.voided", voided)
    return voided


def mark_uncollectible(work: Work, invoice: Json) -> Json:
    """Give the open invoice up as a bad debt. It can still be paid."""
    if invoice["status"] != "open":
        raise refusal(invoice, "mark uncollectible", None)
    transitions = {**invoice["status_transitions"], "marked_uncollectible_at": work.now}
    marked = work.change(invoice, status="uncollectible", status_transitions=transitions, auto_advance=False)
    work.announce("invoice.marked_uncollectible", marked)
    return marked


def _default_method(work: Work, invoice: Json) -> str | None:
    """Return what pays where a call names nothing: the invoice's own, its subscription's, or its customer's default."""
    subscription = subscription_states.of_invoice(work, invoice)
    customer = work.get("customer", invoice["customer"], param="customer")
    own: str | None = invoice["default_payment_method"] or (subscription or {}).get("default_payment_method")
    return own or customer["invoice_settings"]["default_payment_method"]


def _attempted(work: Work, invoice: Json) -> Json:
    return work.change(invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)


def _paid(work: Work, invoice: Json) -> Json:
    paid = work.change(
        invoice,
        status="paid",
        status_transitions={**invoice["status_transitions"], "paid_at": work.now},
        amount_remaining=0,
        attempted=True,
        next_payment_attempt=None,
    )
    work.announce("invoice.paid", paid)
    work.announce("invoice.payment_succeeded", paid)
    _mark_delinquent(work, paid, is_delinquent=False)
    subscription_states.invoice_paid(work, paid)
    return paid


def _mark_delinquent(work: Work, invoice: Json, *, is_delinquent: bool) -> None:
    customer = work.find("customer", invoice["customer"])
    if customer:
        work.change(customer, delinquent=is_delinquent)
