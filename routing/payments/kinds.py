"""What each kind of payment is at Stripe. Whatever else needs to know that reads it from here. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import models

from routing.payments.states import Status

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(models.TextChoices):
    CHARGE = "charge", "charge"
    INVOICE = "invoice", "invoice"
    CUSTOMER = "customer", "new customer"
    SUBSCRIPTION = "subscription", "new subscription"
    RENEWAL = "renewal", "renewal of a subscription"
    REFUND = "refund", "refund"
    CHECKOUT = "checkout", "checkout session"


@dataclass(frozen=True, slots=True)
class StripeType:
    """A type of object at Stripe: the ``object`` that it says it is, its path, and how its ids begin.

    ``id_column`` is the ledger's column for its id, empty where it keeps none. ``expand`` is what it is read with.
    """

    name: str
    path: str
    id_column: str
    id_prefixes: tuple[str, ...]
    expand: tuple[str, ...] = ()

    def path_of(self, stripe_id: str) -> str:
        return f"{self.path}/{stripe_id}"

    @property
    def retrieve_params(self) -> dict[str, Any]:
        return {"expand": list(self.expand)} if self.expand else {}

    @property
    def list_params(self) -> dict[str, Any]:
        return {"expand": [f"data.{name}" for name in self.expand]} if self.expand else {}


PAYMENT_INTENT = StripeType("payment_intent", "/v1/payment_intents", "payment_intent_id", ("pi_",))
CHARGE = StripeType("charge", "/v1/charges", "charge_id", ("ch_", "py_"))
INVOICE = StripeType("invoice", "/v1/invoices", "invoice_id", ("in_",), expand=("payments",))
CUSTOMER = StripeType("customer", "/v1/customers", "object_id", ("cus_",))
SUBSCRIPTION = StripeType(
    "subscription", "/v1/subscriptions", "object_id", ("sub_",), expand=("latest_invoice.payments",)
)
REFUND = StripeType("refund", "/v1/refunds", "object_id", ("re_", "pyr_"))
CHECKOUT_SESSION = StripeType("checkout.session", "/v1/checkout/sessions", "object_id", ("cs_",), expand=("invoice",))
DISPUTE = StripeType("dispute", "/v1/disputes", "", ("dp_", "du_"))

LEDGER_TYPES = {
    stripe_type.name: stripe_type
    for stripe_type in (PAYMENT_INTENT, CHARGE, INVOICE, CUSTOMER, SUBSCRIPTION, REFUND, CHECKOUT_SESSION)
}
"""By name: the types of object whose ids the ledger keeps."""

ID_COLUMNS = sorted({stripe_type.id_column for stripe_type in LEDGER_TYPES.values()})
"""The ledger's columns of their ids."""


@dataclass(frozen=True, slots=True)
class KindAtStripe:
    """The one object that a kind of payment makes at Stripe.

    ``statuses`` says which state each of the object's own statuses puts the payment in; one that is not in it says
    nothing final. Lists of the object are complete with ``list_filter``, and are narrowed to the payment's customer,
    or payment intent, by ``narrowed_by``.
    """

    type: StripeType
    statuses: Mapping[str, Status] = field(default_factory=dict)
    list_filter: Mapping[str, Any] = field(default_factory=dict)
    narrowed_by: str = "customer"

    @property
    def list_params(self) -> dict[str, Any]:
        return {**self.list_filter, **self.type.list_params}


KINDS: Mapping[str, KindAtStripe] = {
    Kind.CHARGE: KindAtStripe(
        PAYMENT_INTENT,
        {
            "succeeded": Status.SUCCEEDED,
            "processing": Status.PROCESSING,
            "requires_action": Status.REQUIRES_ACTION,
            "requires_payment_method": Status.DECLINED,
            "canceled": Status.CANCELED,
        },
    ),
    Kind.INVOICE: KindAtStripe(INVOICE, {"paid": Status.SUCCEEDED, "void": Status.CANCELED}),
    Kind.CUSTOMER: KindAtStripe(CUSTOMER, narrowed_by=""),
    Kind.SUBSCRIPTION: KindAtStripe(
        SUBSCRIPTION,
        # it was made, whatever became of it later
        dict.fromkeys(("active", "trialing", "past_due", "unpaid", "paused", "canceled"), Status.SUCCEEDED)
        | {"incomplete_expired": Status.CANCELED},
        list_filter={"status": "all"},
    ),
    Kind.RENEWAL: KindAtStripe(
        INVOICE,
        {
            "draft": Status.PROCESSING,
            "open": Status.PROCESSING,
            "paid": Status.SUCCEEDED,
            "uncollectible": Status.DECLINED,
            "void": Status.CANCELED,
        },
    ),
    Kind.REFUND: KindAtStripe(
        REFUND,
        {
            "succeeded": Status.SUCCEEDED,
            "pending": Status.PROCESSING,
            "requires_action": Status.REQUIRES_ACTION,
            "failed": Status.DECLINED,
            "canceled": Status.CANCELED,
        },
        narrowed_by="payment_intent",
    ),
    Kind.CHECKOUT: KindAtStripe(CHECKOUT_SESSION, {"open": Status.REQUIRES_ACTION, "expired": Status.CANCELED}),
}

CHARGES = (Kind.CHARGE, Kind.INVOICE, Kind.CHECKOUT, Kind.SUBSCRIPTION, Kind.RENEWAL)
"""The kinds that collect money, and that can be refunded; of a subscription, its first invoice."""


def type_of_id(stripe_id: str) -> StripeType | None:
    """Return the type of object that an id is of; None where its prefix does not say so."""
    return next((known for known in LEDGER_TYPES.values() if stripe_id.startswith(known.id_prefixes)), None)


def payment_id_in(found: Mapping[str, Any]) -> uuid.UUID | None:
    """Return the payment that an object of Stripe's names in its metadata; None where it names none."""
    try:
        return uuid.UUID(str((found.get("metadata") or {}).get("payment_id")))
    except (ValueError, AttributeError):
        return None


def with_payment_id(found: Mapping[str, Any], payment_id: uuid.UUID) -> dict[str, Any]:
    """Return the object naming the payment in its metadata, where it does not, or somebody took that out."""
    return {**found, "metadata": {**(found.get("metadata") or {}), "payment_id": str(payment_id)}}


_RENEWS = frozenset({"subscription_cycle", "subscription_update", "subscription_threshold"})
"""https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason."""


def is_renewal(found: Mapping[str, Any]) -> bool:
    """Return whether the object is an invoice that Stripe made by itself, for a later period of a subscription."""
    return found.get("object") == INVOICE.name and found.get("billing_reason") in _RENEWS


def is_given_up(invoice: Mapping[str, Any]) -> bool:
    """Return whether Stripe has tried to collect an open invoice and will not try again by itself."""
    was_tried = bool(invoice.get("attempted")) or bool(invoice.get("attempt_count"))
    return invoice.get("status") == "open" and was_tried and not invoice.get("next_payment_attempt")


def subscription_details(invoice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the id and the metadata of the subscription that the invoice is for; nothing where it is for none."""
    return (invoice.get("parent") or {}).get("subscription_details") or {}
