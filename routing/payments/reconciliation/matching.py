"""Which payment an object of Stripe belongs to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from routing.payments.kinds import (
    INVOICE,
    KINDS,
    LEDGER_TYPES,
    PAYMENT_INTENT,
    Kind,
    payment_id_in,
    subscription_details,
)
from stripe_billing_router.redaction import redact

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from routing.payments.ledger.models import Payment
    from routing.payments.stripe_api.responses import JSONObject

_MAX_DESCRIPTION = 200


class Verdict(Enum):
    AGREES = "both sides agree"
    ADOPTED = "an open payment was settled"
    WAITS = "too early to tell"
    DIFFERS = "reported as a discrepancy"
    HISTORY = "older than the router"


COMPARED = {kind: at_stripe.type for kind, at_stripe in KINDS.items() if kind != Kind.CUSTOMER}
"""By kind: the type of the one object that a payment is compared with. Of a customer, every object agrees."""

_SHARED_COLUMN = "object_id"
"""Holds the ids of several types of object."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The payments that some objects may belong to."""

    by_id: Mapping[uuid.UUID, Payment] = field(default_factory=dict)
    by_stripe_id: Mapping[str, Payment] = field(default_factory=dict)

    def owner(self, found: JSONObject) -> Payment | None:
        """Return the payment that has the object's id, or that the object names and that has no other object."""
        if payment := self.by_stripe_id.get(found["id"]):
            return payment
        named = named_payment_id(found)
        payment = self.by_id.get(named) if named else None
        return payment if payment and not _has_another(payment, found) else None


def named_payment_id(found: JSONObject) -> uuid.UUID | None:
    """Return the payment that an object, or the subscription that an invoice is for, names in its metadata."""
    return payment_id_in(found) or payment_id_in(subscription_details(found))


def is_compared(found: JSONObject, payment: Payment | None) -> bool:
    """Say whether this is the object to compare a payment with; of several that belong together it is one."""
    compared = COMPARED.get(payment.kind, PAYMENT_INTENT) if payment else PAYMENT_INTENT
    return bool(found["object"] == compared.name)


def created_at(found: JSONObject) -> datetime:
    return datetime.fromtimestamp(found["created"], UTC)


def summary(found: JSONObject, named: uuid.UUID | None) -> dict[str, Any]:
    """Return what a person needs to recognise an object."""
    shown = {name: found.get(name) for name in ("object", "type", "amount", "currency", "customer", "status")}
    shown["created"] = created_at(found).isoformat()
    shown["description"] = redact(str(found.get("description") or ""))[:_MAX_DESCRIPTION]
    shown["payment_id"] = str(named or "")
    return {name: value for name, value in shown.items() if value not in (None, "")}


def _has_another(payment: Payment, found: JSONObject) -> bool:
    """Say whether the object only inherited the payment's metadata: the ledger has, or needs, another one for it."""
    stripe_type, compared = LEDGER_TYPES.get(found["object"]), COMPARED.get(payment.kind)
    if stripe_type is None or compared is None:
        return False
    if stripe_type.id_column == _SHARED_COLUMN and stripe_type is not compared:
        return True
    if stripe_type is INVOICE and _is_of_subscription(payment, found):
        return False  # each period has an invoice of its own; the ledger has the first one's id
    return getattr(payment, stripe_type.id_column) not in ("", found["id"])


def _is_of_subscription(payment: Payment, invoice: JSONObject) -> bool:
    """Say whether the invoice is for the subscription that the payment made, by itself or by its checkout session."""
    subscription = subscription_details(invoice).get("subscription")
    return bool(subscription) and subscription in (payment.object_id, (payment.result or {}).get("subscription"))
