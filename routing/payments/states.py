"""The states of a payment and the steps between them."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    RECEIVED = "received", "received, not charged"
    SENT = "sent", "sent to Stripe"
    SUCCEEDED = "succeeded", "succeeded"
    DECLINED = "declined", "declined"
    REJECTED = "rejected", "rejected by Stripe"
    CANCELED = "canceled", "canceled"
    REQUIRES_ACTION = "requires_action", "waits for the customer"
    PROCESSING = "processing", "processing"
    UNKNOWN = "unknown", "outcome not known yet"
    NEEDS_REVIEW = "needs_review", "needs a person"


FINAL = frozenset({Status.SUCCEEDED, Status.DECLINED, Status.REJECTED, Status.CANCELED})
"""Nothing that arrives later changes these; evidence against one is an exception for a person."""

_ANSWERS = (
    Status.SUCCEEDED,
    Status.DECLINED,
    Status.REJECTED,
    Status.CANCELED,
    Status.REQUIRES_ACTION,
    Status.PROCESSING,
    Status.NEEDS_REVIEW,
)

LEGAL_STEPS: dict[Status, tuple[Status, ...]] = {
    Status.RECEIVED: (Status.SENT, Status.UNKNOWN, *_ANSWERS),
    Status.SENT: (Status.RECEIVED, Status.UNKNOWN, *_ANSWERS),
    Status.UNKNOWN: _ANSWERS,
    Status.REQUIRES_ACTION: (
        Status.PROCESSING,
        Status.SUCCEEDED,
        Status.DECLINED,
        Status.CANCELED,
        Status.NEEDS_REVIEW,
    ),
    Status.PROCESSING: (
        Status.REQUIRES_ACTION,
        Status.SUCCEEDED,
        Status.DECLINED,
        Status.CANCELED,
        Status.NEEDS_REVIEW,
    ),
    Status.NEEDS_REVIEW: (Status.SUCCEEDED, Status.DECLINED, Status.REJECTED, Status.CANCELED),
}
