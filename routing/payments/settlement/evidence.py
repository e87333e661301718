"""Applies what Stripe's objects show of a payment, wherever they were read: after a webhook, in a list, in a search.

Evidence settles what is open. It never edits what is settled: where it contradicts that, a person is told. While a
sender or recovery has the payment leased, evidence only shows that money has moved: the rest is theirs to find out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from routing.money import to_text
from routing.payments.kinds import CHARGES, Kind, is_renewal, payment_id_in
from routing.payments.ledger.columns import object_columns
from routing.payments.ledger.models import Payment
from routing.payments.settlement.discrepancies import report
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import FINAL, LEGAL_STEPS, Status
from routing.payments.stripe_api.outcomes import object_outcome

if TYPE_CHECKING:
    from routing.payments.stripe_api.responses import JSONObject

_NOTHING_CHARGED = FINAL - {Status.SUCCEEDED}
"""They agree with each other: the invoice of a declined payment is void, so that it reads as canceled."""


class Finding(Enum):
    """What came of applying an object. The value is what a person reads."""

    ADOPTED = "the payment's status was updated"
    AGREES = "the ledger already agrees"
    UNCLEAR = "there is no final outcome yet"
    LEASED = "the payment is being sent, and its sender records the outcome"
    LEFT = "the outcome is left to recovery or to a review"
    STALE = "the payment has changed since the object was read"
    DIFFERENT = "reported as a discrepancy: amount, currency or customer differ"
    CONTRADICTED = "reported as a discrepancy: the status differs"
    DISPUTED = "reported as a discrepancy: the customer disputes the payment"
    REFUNDED = "the refunds of the payment were updated"
    RENEWED = "the renewal was taken into the ledger"
    NO_PAYMENT = "no payment in the ledger matches"


def apply_evidence(found: JSONObject, *, domain: str, read_after: datetime | None = None) -> Finding:
    """Apply ``found``, an object of the domain's account as it is now at Stripe, to the payment that it names.

    The router's objects carry the payment's id in their metadata. ``read_after`` is the database's time before the
    object was read: without it an object that is older than the ledger contradicts it. Runs in the caller's
    transaction.
    """
    with transaction.atomic():
        payment = _lock_payment(found, domain)
        if payment is None:
            return Finding.NO_PAYMENT
        if read_after is not None and payment.events.filter(at__gt=read_after).exists():
            return Finding.STALE
        return _apply(payment, found)


def apply_dispute(dispute: JSONObject, payment_object: JSONObject, *, domain: str, read_after: datetime) -> Finding:
    """Report the dispute of the payment that ``payment_object`` names, as it was read last."""
    with transaction.atomic():
        payment = _lock_payment(payment_object, domain)
        if payment is None:
            return Finding.NO_PAYMENT
        details = _dispute_details(dispute, read_after)
        reported = report(Discrepancy.Kind.DISPUTED, domain, str(dispute["id"]), payment, details)
        if reported.cleared_at is None and reported.details["read_after"] < details["read_after"]:
            Discrepancy.objects.filter(id=reported.id).update(details=details)
        return Finding.DISPUTED


def apply_charge(charge: JSONObject, *, domain: str) -> None:
    """Let the payment show what was refunded and disputed of its charge, wherever that was done."""
    if intent_id := charge.get("payment_intent"):
        shown = {"amount_refunded_minor": charge["amount_refunded"], "is_disputed": charge["disputed"]}
        charged = Payment.objects.filter(payment_intent_id=intent_id, domain=domain, kind__in=CHARGES)
        charged.exclude(**shown).update(**shown)


def expedite_recovery(found: JSONObject, *, domain: str) -> None:
    """Have recovery look up the open payment that ``found`` names at once: something has happened to it."""
    if identifier := payment_id_in(found):
        still_open = Payment.objects.filter(id=identifier, domain=domain, settled_at=None)
        still_open.filter(next_attempt_at__gt=Now()).update(next_attempt_at=Now())


def differences(payment: Payment, found: JSONObject) -> dict[str, Any]:
    """Return where the object differs from what was requested: ``{field: {"ledger": …, "stripe": …}}``."""
    requested: dict[str, Any] = {}
    if payment.kind != Kind.CUSTOMER:
        requested |= {"currency": payment.currency, "customer": payment.customer_id}
    if payment.kind in {Kind.CHARGE, Kind.REFUND}:
        requested |= {"amount": payment.amount_minor}
    shown = {**found, "amount_paid": _collected(payment, found)}
    if payment.status == Status.SUCCEEDED and shown["amount_paid"] is not None:
        requested |= {"amount_paid": payment.amount_minor}
    return {
        field: {"ledger": value, "stripe": shown[field]}
        for field, value in requested.items()
        if field in shown and shown[field] != value
    }


def _collected(payment: Payment, found: JSONObject) -> int | None:
    """Return what an object shows that was collected for the payment; None where it does not show it.

    A subscription shows it as long as its first invoice is its latest.
    """
    if payment.kind not in {Kind.INVOICE, Kind.CHECKOUT, Kind.SUBSCRIPTION, Kind.RENEWAL}:
        return None
    latest = found.get("latest_invoice")
    if isinstance(latest, dict) and is_renewal(latest):
        return None
    collected = object_columns(Kind(payment.kind), found).get("amount_minor")
    return collected if isinstance(collected, int) else None


def _lock_payment(found: JSONObject, domain: str) -> Payment | None:
    """Return the payment's row, locked, so that no two objects are applied at once."""
    identifier = payment_id_in(found)
    if identifier is None:
        return None
    rows = Payment.objects.select_for_update(no_key=True).annotate(is_leased=Q(lease_until__gt=Now()))
    return rows.filter(id=identifier, domain=domain).first()


def _apply(payment: Payment, found: JSONObject) -> Finding:
    status = _evident_status(payment, found)
    if differing := differences(payment, found):
        report(Discrepancy.Kind.DIFFERENT, payment.domain, str(found.get("id", "")), payment, differing)
        return Finding.DIFFERENT
    if status is Status.UNKNOWN:
        return Finding.UNCLEAR
    if payment.status == status or {payment.status, status} <= _NOTHING_CHARGED:
        return Finding.AGREES
    if payment.status in FINAL:
        if payment.kind == Kind.REFUND and payment.status == Status.SUCCEEDED:
            # a refund can fail days after it succeeded, https://docs.stripe.com/refunds#failed-refunds
            columns = object_columns(Kind.REFUND, found)
            Payment.objects.filter(id=payment.id).update(is_reversed=True, error=columns["error"])
        statuses = {"ledger": payment.status, "stripe": status.value}
        report(Discrepancy.Kind.CONTRADICTED, payment.domain, str(found.get("id", "")), payment, statuses)
        return Finding.CONTRADICTED
    if reason := _reason_to_wait(payment, status):
        return reason
    _adopt(payment, status, found)
    return Finding.ADOPTED


def _evident_status(payment: Payment, found: JSONObject) -> Status:
    """Return the state that the object puts the payment in.

    A payment intent that waits for a payment method has failed only if it says why: otherwise its first attempt may
    be under way.
    """
    status = object_outcome(Kind(payment.kind), found)
    has_not_failed = payment.kind == Kind.CHARGE and not found.get("last_payment_error")
    return Status.UNKNOWN if status is Status.DECLINED and has_not_failed else status


def _reason_to_wait(payment: Payment, status: Status) -> Finding | None:
    """Return why evidence may not write the status, if it may not.

    That an invoice is void does not tell a decline from a cancellation. The response to its payment does, which the
    sender has, and which recovery gets by sending the same again.
    """
    if payment.is_leased and status is not Status.SUCCEEDED:  # type: ignore[attr-defined]  # annotated by _lock_payment
        return Finding.LEASED
    is_voidable = payment.kind in {Kind.INVOICE, Kind.SUBSCRIPTION}
    if is_voidable and status is Status.CANCELED and payment.status in {Status.SENT, Status.UNKNOWN}:
        return Finding.LEFT
    return None if status in LEGAL_STEPS[Status(payment.status)] else Finding.LEFT


def _adopt(payment: Payment, status: Status, found: JSONObject) -> None:
    columns = {
        name: value for name, value in object_columns(Kind(payment.kind), found).items() if value not in ("", None)
    }
    if status in FINAL:
        columns.setdefault("error", None)
    Payment.objects.filter(id=payment.id).update(
        status=status,
        settled_at=Now() if status in FINAL else None,
        next_attempt_at=None if status in FINAL else payment.next_attempt_at,
        lease_until=None,
        **columns,
    )


def _dispute_details(dispute: JSONObject, read_after: datetime) -> dict[str, Any]:
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    return {
        "reason": dispute.get("reason"),
        "status": dispute.get("status"),
        "amount": to_text(dispute["amount"], dispute["currency"]),
        "currency": dispute["currency"],
        "answer_by": datetime.fromtimestamp(due_by, UTC).isoformat() if due_by else None,
        "read_after": read_after.astimezone(UTC).isoformat(),
    }
