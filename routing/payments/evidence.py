"""What Stripe's objects say of a payment after the fact, from wherever they come: a webhook, a list, a look-up.

Evidence settles what is open. It never edits what is settled: where it contradicts that, a person is told. While a
sender or recovery holds the payment, evidence only tells that money has moved: the rest, and why, they know better.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from routing.money import to_text
from routing.payments.facts import facts_of
from routing.payments.models import Discrepancy, Kind, Payment
from routing.payments.outcomes import of_object
from routing.payments.states import FINAL, LEGAL_STEPS, Status

if TYPE_CHECKING:
    from routing.payments.answers import JSONObject

_NOTHING_CHARGED = FINAL - {Status.SUCCEEDED}
"""A declined payment's invoice is void: other words for the same."""


class Finding(Enum):
    """What came of looking at an object."""

    ADOPTED = "the payment is in the object's state now"
    AGREES = "the ledger says the same already"
    UNCLEAR = "the object says nothing final of the payment"
    HELD = "somebody is at work on the payment, and is to say what became of it"
    LEFT = "recovery, or the person who reviews the payment, is to say what became of it"
    STALE = "the payment has taken a step since the object was read"
    DIFFERENT = "amount, currency or customer are not what the ledger says"
    CONTRADICTED = "the payment is settled otherwise"
    DISPUTED = "the dispute is reported"
    NO_PAYMENT = "the object does not belong to a payment of the ledger"


def consider(found: JSONObject, *, domain: str, read_after: datetime | None = None) -> Finding:
    """Let the ledger know what ``found``, an object of the domain's account as it is now at Stripe, says.

    The router's objects carry the payment's id in their metadata. ``read_after`` is the database's time before the
    object was read: without it an object that is older than the ledger contradicts it. Runs in the caller's
    transaction.
    """
    with transaction.atomic():
        payment = _payment_of(found, domain)
        if payment is None:
            return Finding.NO_PAYMENT
        if read_after is not None and payment.events.filter(at__gt=read_after).exists():
            return Finding.STALE
        return _weigh(payment, found)


def consider_dispute(found: JSONObject, carrier: JSONObject, *, domain: str, read_after: datetime) -> Finding:
    """Report the dispute of the payment that ``carrier`` belongs to; what was read last is what the report says."""
    with transaction.atomic():
        payment = _payment_of(carrier, domain)
        if payment is None:
            return Finding.NO_PAYMENT
        said = _dispute_details(found, read_after)
        reported = report(Discrepancy.Kind.DISPUTED, domain, str(found["id"]), payment, said)
        if reported.cleared_at is None and reported.details["read_after"] < said["read_after"]:
            Discrepancy.objects.filter(id=reported.id).update(details=said)
        return Finding.DISPUTED


def hasten(found: JSONObject, *, domain: str) -> None:
    """Let recovery look soon into the open payment that ``found`` belongs to: something has happened to it."""
    if identifier := _named(found):
        still_open = Payment.objects.filter(id=identifier, domain=domain, settled_at=None)
        still_open.filter(next_attempt_at__gt=Now()).update(next_attempt_at=Now())


def report(
    kind: Discrepancy.Kind, domain: str, stripe_id: str, payment: Payment | None, details: dict[str, Any]
) -> Discrepancy:
    """Report a discrepancy, once; what a person cleared is not reported again, what vanished by itself is."""
    found, _ = Discrepancy.objects.get_or_create(
        kind=kind, domain=domain, stripe_id=stripe_id, payment=payment, defaults={"details": details}
    )
    vanished = Discrepancy.objects.filter(pk=found.pk, cleared_by="").exclude(cleared_at=None)
    if vanished.update(cleared_at=None, remark="", details=details, found_at=Now()):
        found.refresh_from_db()
    return found


def differences(payment: Payment, found: JSONObject) -> dict[str, Any]:
    """Return what the object says otherwise than the payment that was asked for: ``{field: {ledger, stripe}}``."""
    asked: dict[str, Any] = {}
    if payment.kind != Kind.CUSTOMER:
        asked |= {"currency": payment.currency, "customer": payment.customer_id}
    if payment.kind in {Kind.CHARGE, Kind.REFUND}:
        asked |= {"amount": payment.amount_minor}
    if payment.kind == Kind.INVOICE and payment.status == Status.SUCCEEDED:
        asked |= {"amount_paid": payment.amount_minor}
    return {
        field: {"ledger": said, "stripe": found[field]}
        for field, said in asked.items()
        if field in found and found[field] != said
    }


def _payment_of(found: JSONObject, domain: str) -> Payment | None:
    """Return the payment's row, locked, so that no two pieces of evidence are weighed at once."""
    identifier = _named(found)
    if identifier is None:
        return None
    rows = Payment.objects.select_for_update().annotate(is_held=Q(lease_until__gt=Now()))
    return rows.filter(id=identifier, domain=domain).first()


def _named(found: JSONObject) -> uuid.UUID | None:
    try:
        return uuid.UUID(str((found.get("metadata") or {}).get("payment_id")))
    except ValueError:
        return None


def _weigh(payment: Payment, found: JSONObject) -> Finding:
    status = _status(payment, found)
    if differing := differences(payment, found):
        report(Discrepancy.Kind.DIFFERENT, payment.domain, str(found.get("id", "")), payment, differing)
        return Finding.DIFFERENT
    if status is Status.UNKNOWN:
        return Finding.UNCLEAR
    if payment.status == status or {payment.status, status} <= _NOTHING_CHARGED:
        return Finding.AGREES
    if payment.status in FINAL:
        said = {"ledger": payment.status, "stripe": status.value}
        report(Discrepancy.Kind.CONTRADICTED, payment.domain, str(found.get("id", "")), payment, said)
        return Finding.CONTRADICTED
    if obstacle := _obstacle(payment, status):
        return obstacle
    _adopt(payment, status, found)
    return Finding.ADOPTED


def _status(payment: Payment, found: JSONObject) -> Status:
    """Return the state that the object puts the payment in.

    A payment intent that waits for a payment method has failed only if it says why: otherwise its first attempt may
    be under way.
    """
    status = of_object(Kind(payment.kind), found)
    has_not_failed = payment.kind == Kind.CHARGE and not found.get("last_payment_error")
    return Status.UNKNOWN if status is Status.DECLINED and has_not_failed else status


def _obstacle(payment: Payment, status: Status) -> Finding | None:
    """Return why the state is not for evidence to write, if it is not.

    That an invoice is void does not tell a decline from a cancellation. The answer to its payment does, which the
    sender has, and which recovery gets by sending the same again.
    """
    if payment.is_held and status is not Status.SUCCEEDED:  # type: ignore[attr-defined]  # annotated by _payment_of
        return Finding.HELD
    if payment.kind == Kind.INVOICE and status is Status.CANCELED and payment.status in {Status.SENT, Status.UNKNOWN}:
        return Finding.LEFT
    return None if status in LEGAL_STEPS[Status(payment.status)] else Finding.LEFT


def _adopt(payment: Payment, status: Status, found: JSONObject) -> None:
    facts = {name: value for name, value in facts_of(Kind(payment.kind), found).items() if value not in ("", None)}
    if status in FINAL:
        facts.setdefault("error", None)
    Payment.objects.filter(id=payment.id).update(
        status=status,
        settled_at=Now() if status in FINAL else None,
        next_attempt_at=None if status in FINAL else payment.next_attempt_at,
        lease_until=None,
        **facts,
    )


def _dispute_details(found: JSONObject, read_after: datetime) -> dict[str, Any]:
    due_by = (found.get("evidence_details") or {}).get("due_by")
    return {
        "reason": found.get("reason"),
        "status": found.get("status"),
        "amount": to_text(found["amount"], found["currency"]),
        "currency": found["currency"],
        "answer_by": datetime.fromtimestamp(due_by, UTC).isoformat() if due_by else None,
        "read_after": read_after.astimezone(UTC).isoformat(),
    }
