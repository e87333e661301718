"""What an answer of Stripe means for a payment. Pure.

What is harmless is listed; everything else is ``unknown``. An answer to a *resend* says nothing about what the first
send did, unless it is the stored result or the object itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments.models import Kind
from routing.payments.states import Status

if TYPE_CHECKING:
    from routing.payments.answers import Answer, JSONObject

_PUT_OFF = frozenset({401, 403, 409, 429})
"""Stripe refuses these before it runs anything, and does not store them under the idempotency key."""

_OBJECTS: dict[Kind, tuple[str, dict[str, Status]]] = {
    Kind.CHARGE: (
        "payment_intent",
        {
            "succeeded": Status.SUCCEEDED,
            "processing": Status.PROCESSING,
            "requires_action": Status.REQUIRES_ACTION,
            "requires_payment_method": Status.DECLINED,
            "canceled": Status.CANCELED,
        },
    ),
    Kind.INVOICE: ("invoice", {"paid": Status.SUCCEEDED, "void": Status.CANCELED}),
    Kind.CUSTOMER: ("customer", {}),
    Kind.SUBSCRIPTION: (
        "subscription",
        # it was made, whatever became of it later
        dict.fromkeys(("active", "trialing", "past_due", "unpaid", "paused", "canceled"), Status.SUCCEEDED)
        | {"incomplete_expired": Status.CANCELED},
    ),
    Kind.REFUND: (
        "refund",
        {
            "succeeded": Status.SUCCEEDED,
            "pending": Status.PROCESSING,
            "requires_action": Status.REQUIRES_ACTION,
            "failed": Status.DECLINED,
            "canceled": Status.CANCELED,
        },
    ),
    Kind.CHECKOUT: ("checkout.session", {"open": Status.REQUIRES_ACTION, "expired": Status.CANCELED}),
}
"""By kind: the object that Stripe answers with, and what its status means."""

_PAID = frozenset({"paid", "no_payment_required"})


def outcome(kind: Kind, answer: Answer, *, is_resend: bool) -> Status:
    """Return the state that ``answer`` puts a payment in that was ``sent``, or ``unknown`` and sent again."""
    if not answer.was_sent:
        return Status.UNKNOWN if is_resend else Status.RECEIVED
    if answer.is_success:
        return of_object(kind, answer.body or {})
    return _of_error(answer, is_resend=is_resend)


def _of_error(answer: Answer, *, is_resend: bool) -> Status:
    if answer.http_status in _PUT_OFF:
        return Status.UNKNOWN if is_resend else Status.RECEIVED
    match answer.http_status, answer.error.type:
        case 402, "card_error":
            return Status.DECLINED
        case _, "idempotency_error":
            return Status.NEEDS_REVIEW
        case 400 | 404, "invalid_request_error":
            return Status.UNKNOWN if is_resend and not answer.is_replay else Status.REJECTED
        case _:
            return Status.UNKNOWN


def of_object(kind: Kind, found: JSONObject) -> Status:
    """Return the state that an object of Stripe's puts its payment in; ``unknown`` where it says nothing final."""
    if found.get("livemode") is False:
        return Status.NEEDS_REVIEW  # a live key never gets a test object; whatever this is, it is not our payment
    name, statuses = _OBJECTS[kind]
    if found.get("object") != name:
        return Status.UNKNOWN
    if kind is Kind.CUSTOMER:
        return Status.SUCCEEDED
    if kind is Kind.CHECKOUT and found.get("status") == "complete":
        return Status.SUCCEEDED if found.get("payment_status") in _PAID else Status.PROCESSING
    return statuses.get(str(found.get("status")), Status.UNKNOWN)


def object_of(kind: Kind) -> str:
    """Return what Stripe calls the object that a payment makes."""
    return _OBJECTS[kind][0]
