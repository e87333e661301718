"""What a person must look at: where the ledger and Stripe do not agree, and what no evidence can settle."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Now

from routing.audit.triggers import audited
from routing.payments.ledger.models import Payment
from routing.payments.states import Status


class Discrepancy(models.Model):
    """Where the ledger and Stripe do not agree, for a person to clear. Nothing settled is ever changed for it."""

    class Kind(models.TextChoices):
        BYPASS = "bypass", "Made outside the router"
        MISSING = "missing", "Missing at Stripe"
        DIFFERENT = "different", "Details differ"
        CONTRADICTED = "contradicted", "Status differs"
        DISPUTED = "disputed", "Disputed"
        HELD = "held", "Renewal held"

    kind = models.CharField("type", max_length=16, choices=Kind)
    domain = models.CharField(max_length=64)
    stripe_id = models.CharField("Stripe ID", max_length=255, blank=True)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="discrepancies")
    details = models.JSONField(default=dict, help_text="The values in the ledger and at Stripe.")
    found_at = models.DateTimeField("found", db_default=Now())
    cleared_at = models.DateTimeField("cleared", null=True, blank=True)
    cleared_by = models.CharField(max_length=150, blank=True)
    remark = models.TextField("resolution", blank=True, help_text="How it was cleared.")

    class Meta:
        ordering = ["-found_at"]
        verbose_name_plural = "discrepancies"
        indexes = [
            models.Index(
                KT("details__stripe__payment_id"),
                name="discrepancy_by_lost_payment",
                condition=Q(kind="bypass"),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "kind",
                "domain",
                "stripe_id",
                Coalesce("payment", Value(uuid.UUID(int=0), output_field=models.UUIDField())),
                name="discrepancy_is_reported_once",
            ),
            models.CheckConstraint(condition=~Q(stripe_id="", payment=None), name="discrepancy_is_about_something"),
            models.CheckConstraint(
                condition=Q(cleared_at__isnull=True) | ~Q(remark=""), name="discrepancy_is_cleared_with_a_remark"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.stripe_id or self.payment_id}"


VERDICTS = (Status.SUCCEEDED, Status.DECLINED, Status.CANCELED)


class Review(models.Model):
    """The outcome that a person proposes for a payment, and the evidence. It counts once another has confirmed it."""

    payment = models.OneToOneField(Payment, models.PROTECT, related_name="review")
    verdict = models.CharField("outcome", max_length=16, choices=[(v.value, v.label) for v in VERDICTS])
    stripe_id = models.CharField(
        "Stripe ID", max_length=255, blank=True, help_text="Of the charge or payment that was found at Stripe."
    )
    reason = models.TextField("evidence")
    proposed_by = models.CharField(max_length=150)
    proposed_by_id = models.BigIntegerField(null=True, help_text="The user's number, which stays when he is renamed.")
    proposed_at = models.DateTimeField(db_default=Now())
    confirmed_by = models.CharField(max_length=150, blank=True)
    confirmed_by_id = models.BigIntegerField(null=True)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        triggers = [audited("'payment ' || subject.payment_id")]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="review_has_a_reason"),
            models.CheckConstraint(
                condition=~Q(confirmed_by=F("proposed_by"))
                & (Q(confirmed_by_id=None) | ~Q(confirmed_by_id=F("proposed_by_id"))),
                name="review_takes_two_people",
            ),
            models.CheckConstraint(
                condition=~Q(verdict=Status.SUCCEEDED) | ~Q(stripe_id=""), name="review_of_success_names_the_charge"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}, proposed by {self.proposed_by}"
