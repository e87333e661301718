"""Settling by hand what no evidence can: one person says what became of a payment, and a second one confirms it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from routing.errors import InvalidRequest, NotPermitted
from routing.payments.models import Payment
from routing.payments.states import FINAL, Status

if TYPE_CHECKING:
    from uuid import UUID

VERDICTS = (Status.SUCCEEDED, Status.DECLINED, Status.CANCELED)


class Review(models.Model):
    """What a person found out about a payment, and how. It counts once somebody else has confirmed it."""

    payment = models.OneToOneField(Payment, models.PROTECT, related_name="review")
    verdict = models.CharField("what became of it", max_length=16, choices=[(v.value, v.label) for v in VERDICTS])
    stripe_id = models.CharField(
        "Stripe's id", max_length=255, blank=True, help_text="Of the charge or payment that was found at Stripe."
    )
    reason = models.TextField("how that is known")
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField(db_default=Now())
    confirmed_by = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="review_has_a_reason"),
            models.CheckConstraint(condition=~Q(confirmed_by=F("proposed_by")), name="review_takes_two_people"),
            models.CheckConstraint(
                condition=~Q(verdict=Status.SUCCEEDED) | ~Q(stripe_id=""), name="review_of_success_names_the_charge"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}, said by {self.proposed_by}"


def propose(payment_id: UUID, *, verdict: Status, reason: str, stripe_id: str, person: str) -> Review:
    """Write what ``person`` found out; a proposal that nobody has confirmed yet is replaced."""
    if verdict not in VERDICTS:
        raise InvalidRequest(f"A payment cannot be settled as {verdict.label!r}.")
    if not reason.strip():
        raise InvalidRequest("Say how it is known: what was looked up, where, and what it showed.")
    if verdict is Status.SUCCEEDED and not stripe_id:
        raise InvalidRequest("Name the charge or payment at Stripe that shows it succeeded.")
    with transaction.atomic():
        _open(payment_id)
        review, _ = Review.objects.update_or_create(
            payment_id=payment_id,
            defaults={
                "verdict": verdict,
                "stripe_id": stripe_id,
                "reason": reason.strip(),
                "proposed_by": person,
                "proposed_at": Now(),
            },
        )
    return review


def confirm(payment_id: UUID, *, person: str) -> Payment:
    """Settle the payment as proposed; raise ``NotPermitted`` for the one who proposed it."""
    with transaction.atomic():
        payment = _open(payment_id)
        review = Review.objects.select_for_update().filter(payment=payment).first()
        if review is None:
            raise InvalidRequest("Nobody has said yet what became of the payment. That comes first.")
        if review.proposed_by == person:
            raise NotPermitted("Somebody else must confirm it: two people look at what no evidence could settle.")
        Review.objects.filter(pk=review.pk).update(confirmed_by=person, confirmed_at=Now())
        verdict = Status(review.verdict)
        Payment.objects.filter(pk=payment.pk).update(
            status=verdict, settled_at=Now() if verdict in FINAL else None, next_attempt_at=None, **_ids(review)
        )
    return Payment.objects.get(pk=payment.pk)


def _open(payment_id: UUID) -> Payment:
    payment = Payment.objects.select_for_update().filter(pk=payment_id).first()
    if payment is None or payment.status != Status.NEEDS_REVIEW:
        raise InvalidRequest("The payment does not wait for a person (any more). Look at it again.")
    return payment


def _ids(review: Review) -> dict[str, str]:
    prefix = review.stripe_id.partition("_")[0]
    column = {"pi": "payment_intent_id", "ch": "charge_id", "in": "invoice_id"}.get(prefix, "object_id")
    return {column: review.stripe_id} if review.stripe_id else {}
