"""What Stripe's objects say of a payment after the fact, from wherever they come: a webhook, a list, a look-up.

Evidence settles what is open. It never edits what is settled: where it contradicts that, a person is told.
"""

from __future__ import annotations

import uuid
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now

from routing.payments.models import Discrepancy, Kind, Payment
from routing.payments.outcomes import of_object
from routing.payments.sending import facts_of
from routing.payments.states import FINAL, Status

if TYPE_CHECKING:
    from routing.payments.answers import JSONObject


class Finding(Enum):
    """What came of looking at an object."""

    ADOPTED = "the payment is in the object's state now"
    AGREES = "the ledger says the same already"
    UNCLEAR = "the object says nothing final of the payment"
    DIFFERENT = "amount, currency or customer are not what the ledger says"
    CONTRADICTED = "the payment is settled otherwise"
    NO_PAYMENT = "the object does not belong to a payment of the ledger"


def consider(found: JSONObject, *, domain: str) -> Finding:
    """Let the ledger know what ``found``, an object of the domain's account as it is now at Stripe, says.

    The router's objects carry the payment's id in their metadata. Runs in the caller's transaction.
    """
    with transaction.atomic():
        payment = _payment_of(found, domain)
        if payment is None:
            return Finding.NO_PAYMENT
        status = of_object(Kind(payment.kind), found)
        if differences := _differences(payment, found):
            report(Discrepancy.Kind.DIFFERENT, domain, str(found.get("id", "")), payment, differences)
            return Finding.DIFFERENT
        if status is Status.UNKNOWN:
            return Finding.UNCLEAR
        if payment.status == status:
            return Finding.AGREES
        if payment.status in FINAL:
            said = {"ledger": payment.status, "stripe": status.value}
            report(Discrepancy.Kind.CONTRADICTED, domain, str(found.get("id", "")), payment, said)
            return Finding.CONTRADICTED
        _adopt(payment, status, found)
        return Finding.ADOPTED


def report(
    kind: Discrepancy.Kind, domain: str, stripe_id: str, payment: Payment | None, details: dict[str, Any]
) -> Discrepancy:
    """Report a discrepancy, once; what was cleared is not reported again."""
    found, _ = Discrepancy.objects.get_or_create(
        kind=kind, domain=domain, stripe_id=stripe_id, payment=payment, defaults={"details": details}
    )
    return found


def _payment_of(found: JSONObject, domain: str) -> Payment | None:
    """Return the payment's row, locked, so that no two pieces of evidence are weighed at once."""
    try:
        identifier = uuid.UUID(str((found.get("metadata") or {}).get("payment_id")))
    except ValueError:
        return None
    return Payment.objects.select_for_update().filter(id=identifier, domain=domain).first()


def _differences(payment: Payment, found: JSONObject) -> dict[str, Any]:
    """Return what the object says otherwise than the payment that was asked for: ``{field: {ledger, stripe}}``."""
    asked: dict[str, Any] = {}
    if payment.kind != Kind.CUSTOMER:
        asked |= {"currency": payment.currency, "customer": payment.customer_id}
    if payment.kind in {Kind.CHARGE, Kind.REFUND}:
        asked |= {"amount": payment.amount_minor}
    return {
        field: {"ledger": said, "stripe": found[field]}
        for field, said in asked.items()
        if field in found and found[field] != said
    }


def _adopt(payment: Payment, status: Status, found: JSONObject) -> None:
    facts = {name: value for name, value in facts_of(Kind(payment.kind), found).items() if value not in ("", None)}
    Payment.objects.filter(id=payment.id).update(
        status=status,
        settled_at=Now() if status in FINAL else None,
        next_attempt_at=None if status in FINAL else payment.next_attempt_at,
        lease_until=None,
        **facts,
    )
