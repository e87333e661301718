"""Webhooks: events are received and stored, applied to the ledger, and backfilled where none came.

An event is a hint to fetch an object now. So it does not matter in which order events come, how often, before or
after the response to the call that caused them, or not at all.
"""

EVENT_TYPES = (
    "payment_intent.succeeded",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.voided",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.subscription.created",
)
"""What a domain's endpoint at Stripe should send, and what is backfilled; Stripe lists at most 20 types at once."""
