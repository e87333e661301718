"""Settling by hand what no evidence can: one person proposes the outcome of a payment, and another confirms it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from routing.errors import InvalidRequest, NotPermitted
from routing.payments.kinds import KINDS, type_of_id
from routing.payments.ledger.models import Payment
from routing.payments.settlement.lookups import look_up, require_match
from routing.payments.settlement.models import VERDICTS, Review
from routing.payments.states import Status

if TYPE_CHECKING:
    from uuid import UUID

    from routing.audit.acting import Person


def propose(payment_id: UUID, *, verdict: Status, reason: str, stripe_id: str, person: Person) -> Review:
    """Propose the outcome; a proposal that nobody has confirmed yet is replaced.

    What is named at Stripe is looked up there first, and again when it is confirmed.
    """
    if verdict not in VERDICTS:
        raise InvalidRequest(f"A payment cannot be settled as {verdict.label}.")
    if not reason.strip():
        raise InvalidRequest("Give the evidence: what was looked up, where, and what it showed.")
    if verdict is Status.SUCCEEDED and not stripe_id:
        raise InvalidRequest("Name the charge or payment at Stripe that shows it succeeded.")
    _check_at_stripe(payment_id, verdict, stripe_id)
    with transaction.atomic():
        _lock_payment_in_review(payment_id)
        review, _ = Review.objects.update_or_create(
            payment_id=payment_id,
            defaults={
                "verdict": verdict,
                "stripe_id": stripe_id,
                "reason": reason.strip(),
                "proposed_by": person.name,
                "proposed_by_id": person.id,
                "proposed_at": Now(),
            },
        )
    return review


def confirm(payment_id: UUID, *, person: Person) -> Payment:
    """Settle the payment as proposed; raise ``NotPermitted`` for the one who proposed it."""
    proposed = Review.objects.filter(payment_id=payment_id, confirmed_at=None).first()
    if proposed is not None and not is_own(proposed, person):
        _check_at_stripe(payment_id, Status(proposed.verdict), proposed.stripe_id)
    with transaction.atomic():
        payment = _lock_payment_in_review(payment_id)
        review = Review.objects.select_for_update().filter(payment=payment).first()
        if review is None:
            raise InvalidRequest("No outcome was proposed yet. Propose one first.")
        if is_own(review, person):
            raise NotPermitted("You proposed this outcome, so another person must confirm it.")
        if proposed is None or _outcome(review) != _outcome(proposed):
            raise InvalidRequest("Another outcome was proposed meanwhile. Reload the page.")
        Review.objects.filter(pk=review.pk).update(
            confirmed_by=person.name, confirmed_by_id=person.id, confirmed_at=Now()
        )
        verdict = Status(review.verdict)
        Payment.objects.filter(pk=payment.pk).update(
            status=verdict,
            settled_at=Now(),
            next_attempt_at=None,
            **_id_column(payment, review.stripe_id),
        )
    return Payment.objects.get(pk=payment.pk)


def is_own(review: Review, person: Person) -> bool:
    """Return whether the person proposed the outcome."""
    return person.is_same_as(review.proposed_by, review.proposed_by_id)


def _outcome(review: Review) -> tuple[str, str]:
    return review.verdict, review.stripe_id


def _check_at_stripe(payment_id: UUID, verdict: Status, stripe_id: str) -> None:
    payment = Payment.objects.filter(pk=payment_id).first()
    if stripe_id and payment is not None and payment.status == Status.NEEDS_REVIEW:
        require_match(payment, look_up(payment, stripe_id), verdict)


def _lock_payment_in_review(payment_id: UUID) -> Payment:
    payment = Payment.objects.select_for_update(no_key=True).filter(pk=payment_id).first()
    if payment is None or payment.status != Status.NEEDS_REVIEW:
        raise InvalidRequest("The payment no longer needs a review. Reload its page.")
    return payment


def _id_column(payment: Payment, stripe_id: str) -> dict[str, str]:
    """Return the ledger's column for the id; one whose prefix says nothing is of what the payment itself made."""
    stripe_type = type_of_id(stripe_id) or KINDS[payment.kind].type
    return {stripe_type.id_column: stripe_id} if stripe_id else {}
