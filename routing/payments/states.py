"""The states of a payment and the steps between them."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    RECEIVED = "received", "Not processed"
    SENT = "sent", "Sent"
    SUCCEEDED = "succeeded", "Succeeded"
    DECLINED = "declined", "Declined"
    REJECTED = "rejected", "Rejected"
    CANCELED = "canceled", "Canceled"
    REQUIRES_ACTION = "requires_action", "Requires action"
    PROCESSING = "processing", "Processing"
    UNKNOWN = "unknown", "Unknown"
    NEEDS_REVIEW = "needs_review", "Needs review"


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
