"""The start of a subscription: its first invoice, and what becomes of it where that is not paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.errors import StripeError, invalid
from sandbox.objects import made, new_id
from sandbox.resources import (
    customers,
    discounts,
    invoice_collection,
    invoice_drafts,
    payment_intents,
    payment_methods,
    subscription_items,
    tax_rates,
    trials,
)

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


_SAME: Json = {
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_mode": {"flexible": None, "type": "classic"},
    "billing_schedules": [],
    "cancel_at_period_end": False,
    "cancellation_details": dict.fromkeys(("comment", "feedback", "reason")),
    "collection_method": "charge_automatically",
    "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
    "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
}


def subscribe(work: Work, params: dict[str, Any]) -> Json:
    """Make a subscription and pay its first invoice, in the words of Stripe's create."""
    customer = work.get("customer", params["customer"], param="customer")
    method = params.get("default_payment_method") or customer["invoice_settings"]["default_payment_method"]
    if method is not None:
        payment_methods.to_charge(work, method, customer["id"])
    subscription = make(work, params)
    invoice = invoice_collection.finalize(work, draft(work, subscription, "subscription_create"))
    if invoice["status"] == "open" and params.get("payment_behavior") != "default_incomplete":
        invoice = _collected(work, invoice, method, params)
    running = "trialing" if subscription["trial_end"] else "active"
    status = running if invoice["status"] == "paid" else "incomplete"
    known = work.get("subscription", subscription["id"], param="id")
    subscription = work.change(known, latest_invoice=invoice["id"], status=status)
    work.announce("customer.subscription.created", subscription)
    return subscription


def make(work: Work, params: dict[str, Any]) -> Json:
    """Make a subscription in the words of Stripe's create, without an invoice yet."""
    customer = work.get("customer", params["customer"], param="customer")
    identifier = new_id("sub")
    items = subscription_items.make(work, params.get("items", []), identifier)
    trial_end = trials.end(work, params, items)
    if trial_end is not None:
        items = [{**item, "current_period_end": trial_end} for item in items]
    currency = subscription_items.currency(items, params.get("currency"), customer)
    customers.bill_repeatedly(work, customer, currency)
    return work.put(
        made(
            "subscription",
            id=identifier,
            billing_cycle_anchor=trial_end or work.now,
            created=work.now,
            currency=currency,
            customer=customer["id"],
            default_payment_method=params.get("default_payment_method"),
            default_tax_rates=tax_rates.chosen(work, params.get("default_tax_rates"), "default_tax_rates"),
            description=params.get("description"),
            discounts=discounts.redeem(
                work, params.get("discounts"), currency, customer["id"], subscription=identifier
            ),
            items=lists.envelope(items, f"/v1/subscription_items?subscription={identifier}"),
            metadata=metadata.merged({}, params),
            start_date=work.now,
            status="incomplete",
            trial_end=trial_end,
            trial_start=None if trial_end is None else work.now,
            **_SAME,
        )
    )


def expire(work: Work, subscription: Json) -> Json:
    """End a subscription whose first invoice was not paid in time, or that is canceled before it was.

    https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses
    """
    expired = work.change(subscription, status="incomplete_expired", canceled_at=work.now, ended_at=work.now)
    invoice = work.get("invoice", expired["latest_invoice"], param="invoice")
    if invoice["status"] == "open":
        invoice_collection.void(work, invoice)
    work.announce("customer.subscription.updated", expired)
    return expired


def draft(work: Work, subscription: Json, reason: str, **fields: Any) -> Json:
    """Draft the invoice for the subscription's current period, with what waits for the customer's next invoice."""
    customer = work.get("customer", subscription["customer"], param="customer")
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    invoice = invoice_drafts.make(
        work,
        customer,
        subscription["currency"],
        billing_reason=reason,
        default_tax_rates=subscription["default_tax_rates"],
        discounts=discounts.standing(work, subscription, customer),
        parent={"quote_details": None, "subscription_details": details, "type": "subscription_details"},
        **fields,
    )
    invoice = invoice_drafts.take_in_pending(work, invoice)
    billed = subscription_items.bill(work, invoice, subscription)
    work.announce("invoice.created", billed)
    return billed


def _collected(work: Work, invoice: Json, method: str | None, params: dict[str, Any]) -> Json:
    if method is None:
        raise invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    try:
        return invoice_collection.pay(work, invoice, method, off_session=params.get("off_session", False))
    except StripeError as error:
        if not error.is_stored:
            raise
        if params.get("payment_behavior") == "error_if_incomplete":
            _leave_only_the_attempt(work, error.more["payment_intent"])
            raise
        return work.get("invoice", invoice["id"], param="invoice")


def _leave_only_the_attempt(work: Work, intent: Json) -> None:
    """Take everything back but the failed charge: Stripe answers 402 and makes no subscription."""
    charge = work.account.objects.get(intent["latest_charge"])
    work.undo()
    if charge:
        work.put(charge)
        work.announce("charge.failed", charge)
    payment_intents.cancel(work, work.put(intent), "failed_invoice")
