"""What a response of Stripe means for a payment. Pure.

What is harmless is listed; everything else is ``unknown``. A response to a *resend* says nothing about what the first
send did, unless it is the stored result or the object itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments.kinds import KINDS, Kind, is_given_up
from routing.payments.states import Status

if TYPE_CHECKING:
    from routing.payments.stripe_api.responses import JSONObject, StripeResponse

_NOT_EXECUTED = frozenset({401, 403, 409, 429})
"""Stripe refuses these before it executes anything, and does not store them under the idempotency key."""

_PAID = frozenset({"paid", "no_payment_required"})


def response_outcome(kind: Kind, response: StripeResponse, *, is_resend: bool) -> Status:
    """Return the state that the response puts a payment in that was ``sent``, or ``unknown`` and sent again."""
    if not response.was_sent:
        return Status.UNKNOWN if is_resend else Status.RECEIVED
    if response.is_success:
        return object_outcome(kind, response.body or {})
    return _error_outcome(response, is_resend=is_resend)


def object_outcome(kind: Kind, found: JSONObject) -> Status:
    """Return the state that an object of Stripe puts its payment in; ``unknown`` where it says nothing final."""
    if found.get("livemode") is False:
        return Status.NEEDS_REVIEW  # a live key never gets a test object; whatever this is, it is not our payment
    # the money of a subscription is collected by its first invoice
    at_stripe = KINDS[Kind.INVOICE if (kind, found.get("object")) == (Kind.SUBSCRIPTION, "invoice") else kind]
    if found.get("object") != at_stripe.type.name:
        return Status.UNKNOWN
    if kind is Kind.CUSTOMER:
        return Status.SUCCEEDED
    if kind is Kind.CHECKOUT and found.get("status") == "complete":
        return Status.SUCCEEDED if found.get("payment_status") in _PAID else Status.PROCESSING
    if kind is Kind.SUBSCRIPTION and _was_never_paid(found):
        return Status.CANCELED
    shown = "uncollectible" if kind is Kind.RENEWAL and is_given_up(found) else str(found.get("status"))
    return at_stripe.statuses.get(shown, Status.UNKNOWN)


def _was_never_paid(subscription: JSONObject) -> bool:
    """Say whether it was canceled before its first invoice was paid."""
    invoice = subscription.get("latest_invoice")
    if not isinstance(invoice, dict) or invoice.get("billing_reason") != "subscription_create":
        return False  # it has been renewed
    return subscription.get("status") == "canceled" and invoice.get("status") in {"open", "void", "uncollectible"}


def _error_outcome(response: StripeResponse, *, is_resend: bool) -> Status:
    if response.http_status in _NOT_EXECUTED:
        return Status.UNKNOWN if is_resend else Status.RECEIVED
    match response.http_status, response.error.type:
        case 402, "card_error":
            return Status.DECLINED
        case _, "idempotency_error":
            return Status.NEEDS_REVIEW
        case 400 | 404, "invalid_request_error":
            return Status.UNKNOWN if is_resend and not response.is_replay else Status.REJECTED
        case _:
            return Status.UNKNOWN
