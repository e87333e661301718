"""The refunds that people request in the admin."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from routing.approval.triggers import guarded
from routing.audit.triggers import audited
from routing.payments.ledger.models import Payment

_OF_ITS_PAYMENT = """EXISTS (
    SELECT FROM routing_payment AS payment JOIN routing_domain AS domain ON domain.slug = payment.domain
    WHERE payment.id = {row}.payment_id AND requires_approval
)"""
"""SQL for whether the domain of the refunded payment needs approval for its changes."""

_OUTCOME = ("refund_id", "problem", "completed_at")


class RequestedRefund(models.Model):
    """A refund that a person requests. It is made at Stripe once it is approved, where its domain needs that."""

    class Reason(models.TextChoices):
        """Stripe's own, https://docs.stripe.com/api/refunds/create."""

        REQUESTED = "requested_by_customer", "Requested by the customer"
        DUPLICATE = "duplicate", "Duplicate"
        FRAUDULENT = "fraudulent", "Fraudulent"

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="requested_refunds")
    amount_minor = models.BigIntegerField("amount")
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=32, choices=Reason)
    remark = models.TextField(help_text="Why, for the record. The customer does not see it.")
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField("requested", db_default=Now())
    refund = models.OneToOneField(Payment, models.PROTECT, null=True, editable=False, related_name="requested_refund")
    problem = models.TextField(blank=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False, help_text="When no further attempt is made.")

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["requested_at"], name="requestedrefund_open", condition=Q(completed_at=None)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="requestedrefund_amount_is_positive"),
            models.CheckConstraint(condition=~Q(remark=""), name="requestedrefund_has_a_remark"),
        ]
        triggers = [
            pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="request_is_fixed", exclude=["refund", "problem", "completed_at"]),
            audited("'refund of payment ' || subject.payment_id"),
            guarded(_OF_ITS_PAYMENT, free=_OUTCOME),
        ]

    def __str__(self) -> str:
        return f"refund of payment {self.payment_id}"
