"""The events of each domain's Stripe account, and whether they have been applied to the ledger.

Of an event only the object that it names is kept. What it says of the object may be old by the time it is read, and
holds names and addresses that the router has no use for.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Source(models.TextChoices):
    WEBHOOK = "webhook", "Webhook"
    BACKFILL = "backfill", "Backfill"


class WebhookEvent(models.Model):
    domain = models.CharField(max_length=64)
    event_id = models.CharField("event ID", max_length=255)
    type = models.CharField(max_length=255)
    created = models.DateTimeField("created at Stripe")
    object_type = models.CharField("object type", max_length=255, blank=True)
    object_id = models.CharField("object ID", max_length=255, blank=True)
    source = models.CharField(max_length=16, choices=Source)
    received_at = models.DateTimeField("received", db_default=Now())
    attempts = models.IntegerField(default=0, help_text="How often the router tried to apply the event.")
    next_attempt_at = models.DateTimeField(
        db_default=Now(), help_text="When the router tries next. A worker that claims the event postpones this."
    )
    applied_at = models.DateTimeField("applied", null=True)
    finding = models.CharField("result", max_length=255, blank=True)
    last_error = models.TextField(blank=True, help_text="Why the last attempt failed.")

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="webhook_event_due", condition=Q(applied_at__isnull=True)),
            models.Index(fields=["-received_at", "-id"], name="webhook_event_by_time"),
            models.Index(fields=["object_id"], name="webhook_event_by_object"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["domain", "event_id"], name="webhook_event_is_stored_once"),
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True) | ~Q(finding=""), name="webhook_event_is_applied_with_a_finding"
            ),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="webhook_event_source_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class EventCursor(models.Model):
    """How far a domain's list of events at Stripe has been read."""

    domain = models.CharField(max_length=64, unique=True)
    seen_until = models.DateTimeField(
        help_text="The creation time of the newest event that was read, by Stripe's clock."
    )
    backfilled_at = models.DateTimeField("last backfilled", db_default=Now())

    def __str__(self) -> str:
        return f"{self.domain} until {self.seen_until}"
