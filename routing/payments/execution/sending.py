"""Sends a payment's frozen calls and says what the responses mean. No database connection is held meanwhile.

Before each call it looks whether billing was paused since: a stop that comes between two calls stops the second.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from routing.errors import StripeUnavailable
from routing.payments.execution.quotes import over_quote
from routing.payments.execution.stops import reason_not_to_go_on, stopped
from routing.payments.kinds import KINDS, SUBSCRIPTION, Kind, payment_id_in
from routing.payments.ledger.columns import invoice_columns, object_columns, response_columns
from routing.payments.states import Status
from routing.payments.stripe_api import gateway, requests
from routing.payments.stripe_api.outcomes import response_outcome
from routing.payments.stripe_api.responses import StripeResponse

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.ledger.models import Payment
    from routing.payments.stripe_api.responses import JSONObject


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of a payment after its calls were sent."""

    status: Status
    columns: dict[str, Any] = field(default_factory=dict)
    """Columns of the ledger that the response fills."""
    is_failure: bool = False
    """Whether Stripe answered with a server error, which says nothing of what it has done."""
    is_stored: bool = False
    """Whether the response was Stripe's stored one, which it repeats for as long as it keeps the key."""


def send(payment: Payment, keys: AccountKeys, *, send_before: float, is_resend: bool = False) -> Settlement:
    """Send the calls of ``payment`` in order, each at most once for ever, and return what is known then.

    No call is begun after ``send_before``, so that the last one ends within the sender's lease: a process that was
    stopped for so long wakes to a payment that others have settled.
    """
    response, seen = _send_calls(payment, keys, send_before)
    kind = Kind(payment.kind)
    if seen.stop:
        return _stopped(seen, kind, is_resend=is_resend)
    if error := over_quote(payment, seen.bill):
        return Settlement(Status.REJECTED, seen.columns(kind) | {"error": error})
    status = response_outcome(kind, response, is_resend=is_resend)
    if kind is Kind.SUBSCRIPTION and status is Status.SUCCEEDED:
        seen.made = _refresh_subscription(keys, seen.made)
    return Settlement(
        status,
        response_columns(response) | seen.columns(kind),
        is_failure=(response.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR,
        is_stored=response.is_replay,
    )


@dataclass(slots=True)
class _Seen:
    """The payment's objects as they were last seen: what it makes, and the invoice that collects the money."""

    made: JSONObject = field(default_factory=dict)
    invoice: JSONObject = field(default_factory=dict)
    stop: str = ""
    """Why the next call was not begun, if it was not."""

    def add(self, found: JSONObject) -> None:
        if found.get("object") == "invoice":
            self.invoice = found
        elif found.get("object") != "invoiceitem":
            self.made = found
            self.invoice = found["latest_invoice"] if isinstance(found.get("latest_invoice"), dict) else {}

    @property
    def bill(self) -> JSONObject:
        return self.invoice or self.made

    def columns(self, kind: Kind) -> dict[str, Any]:
        return (object_columns(kind, self.made) if self.made else {}) | invoice_columns(self.invoice)


def _stopped(seen: _Seen, kind: Kind, *, is_resend: bool) -> Settlement:
    """Return what a payment is whose next call was not begun: to be undone where an earlier call has made something.

    Where none has, it was never executed, and recovery cancels it; unless it was sent before, which is looked up.
    """
    if seen.bill:
        return Settlement(Status.CANCELED, seen.columns(kind) | stopped(seen.stop))
    return Settlement(Status.UNKNOWN) if is_resend else Settlement(Status.RECEIVED, stopped(seen.stop))


def _send_calls(payment: Payment, keys: AccountKeys, send_before: float) -> tuple[StripeResponse, _Seen]:
    """Send each call until one fails or the last has succeeded; return that response, and the objects as last seen.

    A call that was sent before is answered as it was then.
    """
    seen, response = _Seen(), StripeResponse()
    for call in payment.request["calls"]:
        if over_quote(payment, seen.bill):
            break
        if reason := reason_not_to_go_on(payment):
            seen.stop = reason
            break
        response = gateway.post(
            keys,
            **requests.for_invoice(call, str(seen.invoice.get("id", ""))),
            idempotency_key=requests.stripe_key(payment.id, call["step"]),
            version=payment.request["version"],
            send_before=send_before,
        )
        if not _belongs_to(payment, response, seen):
            response = StripeResponse(request_id=response.request_id)
        if not response.is_success or response.body is None:
            break
        seen.add(response.body)
        if seen.invoice.get("status") == "paid":
            break  # where there was nothing to pay, it is paid by being finalized
    return response, seen


def _refresh_subscription(keys: AccountKeys, subscription: JSONObject) -> JSONObject:
    """Return the subscription as it is now that its first invoice is paid, or as it was if it cannot be read."""
    with suppress(StripeUnavailable):
        return gateway.retrieve(keys, SUBSCRIPTION.path_of(subscription["id"])) or subscription
    return subscription


def _belongs_to(payment: Payment, response: StripeResponse, seen: _Seen) -> bool:
    """Say whether a response is about this payment, and neither about another's object nor from a proxy.

    A success is the payment's object, which names it, or the item of its invoice, or its invoice once more.
    """
    kind, found, invoice = Kind(payment.kind), response.body or {}, seen.invoice
    if not response.is_success:
        intent = response.error.payment_intent
        return "payment_id" not in (intent.get("metadata") or {}) or payment_id_in(intent) == payment.id
    if kind is Kind.INVOICE and found.get("object") == "invoiceitem":
        return bool(invoice) and found.get("invoice", invoice["id"]) == invoice["id"]
    if invoice and found.get("object") == "invoice":
        return bool(found.get("id") == invoice["id"])
    return not invoice and found.get("object") == KINDS[kind].type.name and payment_id_in(found) == payment.id
