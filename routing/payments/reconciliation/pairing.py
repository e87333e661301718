"""Which payment an object of Stripe's stands for. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from routing.payments.models import Kind, Payment
from stripe_billing_router.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from routing.payments.answers import JSONObject

_LONGEST_DESCRIPTION = 200


class Verdict(Enum):
    AGREES = "both sides say the same"
    ADOPTED = "the payment was open, and is in the object's state now"
    WAITS = "too early to tell"
    DIFFERS = "a person is told"
    HISTORY = "from the time before the router"


@dataclass(frozen=True, slots=True)
class Proof:
    """The one object that Stripe has for a payment, and where to read it."""

    object: str
    path: str
    id_of: Callable[[Payment], str]


PROOFS: dict[str, Proof] = {
    Kind.CHARGE: Proof("payment_intent", "/v1/payment_intents", attrgetter("payment_intent_id")),
    Kind.INVOICE: Proof("invoice", "/v1/invoices", attrgetter("invoice_id")),
    Kind.SUBSCRIPTION: Proof("subscription", "/v1/subscriptions", attrgetter("object_id")),
    Kind.REFUND: Proof("refund", "/v1/refunds", attrgetter("object_id")),
    Kind.CHECKOUT: Proof("checkout.session", "/v1/checkout/sessions", attrgetter("object_id")),
}
"""What proves a payment, by its kind. Of another kind, every object that names the payment is taken as the router's."""

_OWN = "object_id"

COLUMNS = {
    "payment_intent": "payment_intent_id",
    "invoice": "invoice_id",
    "charge": "charge_id",
    "subscription": _OWN,
    "refund": _OWN,
    "checkout.session": _OWN,
}
"""Where the ledger keeps an object's id."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the ledger that some objects may stand for."""

    by_id: Mapping[uuid.UUID, Payment] = field(default_factory=dict)
    by_stripe_id: Mapping[str, Payment] = field(default_factory=dict)

    def owner(self, found: JSONObject) -> Payment | None:
        """Return the payment of an object: the one that has its id, or that the object names and that has no other."""
        if payment := self.by_stripe_id.get(found["id"]):
            return payment
        named = named_payment(found)
        payment = self.by_id.get(named) if named else None
        return payment if payment and not _has_another(payment, found) else None


def named_payment(found: JSONObject) -> uuid.UUID | None:
    """Return the payment that an object, or the subscription that an invoice is for, names in its metadata."""
    subscription = (found.get("parent") or {}).get("subscription_details") or {}
    named = (found.get("metadata") or {}).get("payment_id") or (subscription.get("metadata") or {}).get("payment_id")
    try:
        return uuid.UUID(named)
    except (TypeError, ValueError):
        return None


def is_compared(found: JSONObject, payment: Payment | None) -> bool:
    """Say whether this is the object to judge a payment by; of several that belong together it is one."""
    proof = PROOFS.get(payment.kind) if payment else None
    return bool(found["object"] == (proof.object if proof else "payment_intent"))


def as_named(found: JSONObject, payment: Payment) -> JSONObject:
    """Return the object naming its payment, also where somebody took that out at Stripe."""
    return {**found, "metadata": {**(found.get("metadata") or {}), "payment_id": str(payment.id)}}


def created(found: JSONObject) -> datetime:
    return datetime.fromtimestamp(found["created"], UTC)


def summary(found: JSONObject, named: uuid.UUID | None) -> dict[str, Any]:
    """Return what a person needs to know an object again."""
    said = {name: found.get(name) for name in ("object", "type", "amount", "currency", "customer", "status")}
    said["created"] = created(found).isoformat()
    said["description"] = redact(str(found.get("description") or ""))[:_LONGEST_DESCRIPTION]
    said["payment_id"] = str(named or "")
    return {name: value for name, value in said.items() if value not in (None, "")}


def _has_another(payment: Payment, found: JSONObject) -> bool:
    """Say whether the object only took over the payment's metadata: the ledger has, or needs, another one for it."""
    column, proof = COLUMNS.get(found["object"]), PROOFS.get(payment.kind)
    if column is None or proof is None:
        return False
    if column == _OWN and proof.object != found["object"]:
        return True
    return getattr(payment, column) not in ("", found["id"])
