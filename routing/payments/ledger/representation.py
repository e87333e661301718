"""How a payment reads to a bot, and the error that a failed payment is."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn, cast

from routing.caps.remaining import remaining_for
from routing.errors import Canceled, Declined, PermissionMissing, Rejected, StripeUnavailable
from routing.payments.kinds import CHARGES, Kind
from routing.payments.states import Status
from routing.timestamps import to_iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.payments.ledger.models import Payment
    from stripe_billing_router import schemas


def representation(payment: Payment) -> schemas.Payment:
    """Return the payment as JSON values; ``amount`` is a decimal string in the currency's main unit."""
    return {
        "id": str(payment.id),
        "kind": cast("schemas.Kind", payment.kind),
        "status": cast("schemas.Status", payment.status),
        "bot": payment.bot,
        "amount": payment.amount,
        "amount_refunded": payment.amount_refunded if payment.kind in CHARGES else None,
        "disputed": payment.is_disputed,
        "subscription_status": payment.subscription_status or None,
        "renewal_of": str(payment.renewal_of_id) if payment.renewal_of_id else None,
        "currency": payment.currency or None,
        "quantity": payment.quantity,
        "description": payment.description,
        "metadata": payment.metadata,
        "route": {
            "domain": payment.domain,
            "region": payment.region,
            "product_id": payment.product_id,
            "price_id": payment.price_id,
            "customer_id": payment.customer_id or None,
            "registry_version": payment.registry_version,
            "overrides": payment.overrides,
        },
        "stripe": {
            "payment_intent": payment.payment_intent_id or None,
            "charge": payment.charge_id or None,
            "invoice": payment.invoice_id or None,
            "request_id": payment.stripe_request_id or None,
        },
        "error": payment.error,
        "created_at": to_iso(payment.created_at),
        "settled_at": to_iso(payment.settled_at),
    }


def representation_with_caps(payment: Payment) -> schemas.Payment:
    """Return the payment with what is left now of each cap on it."""
    return {**representation(payment), "caps": remaining_for(payment.id)}


def raise_if_failed(payment: Payment, payload: schemas.Payment | None = None) -> None:
    """Raise the error of a payment that failed; return for one that succeeded or whose outcome is still open.

    ``payload`` is the representation that the error carries, if not the payment's own.
    """
    if failure := _FAILURES.get(Status(payment.status)):
        failure(payment, payload or representation(payment))


def _declined(payment: Payment, payload: schemas.Payment) -> NoReturn:
    raise Declined(
        f"{_name(payment)} was declined: {_reason(payment)} {_no_money_moved(payment)} {_after_decline(payment)}",
        payment=payload,
    )


def _rejected(payment: Payment, payload: schemas.Payment) -> NoReturn:
    raise Rejected(
        f"{_name(payment)} was refused by Stripe: {_reason(payment)} {_no_money_moved(payment)} "
        "Correct the route or the request, then use a new idempotency key.",
        payment=payload,
    )


def _canceled(payment: Payment, payload: schemas.Payment) -> NoReturn:
    raise Canceled(
        f"{_name(payment)} was canceled{_stop(payment)}. {_no_money_moved(payment)} "
        "To try again, use a new idempotency key.",
        payment=payload,
    )


def _did_not_go_through(payment: Payment, payload: schemas.Payment) -> NoReturn:
    if (payment.error or {}).get("code") == "stopped":
        _canceled(payment, payload)  # as recovery does in a moment
    if (payment.error or {}).get("http_status") == HTTPStatus.FORBIDDEN:
        raise PermissionMissing(
            f"{_name(payment)} did not go through: {_reason(payment)} Ask the platform engineers to give the domain's "
            "key that permission, then try again with the same idempotency key.",
            payment=payload,
        )
    raise StripeUnavailable(
        f"{_name(payment)} did not go through: {_reason(payment)} Try again with the same idempotency key.",
        payment=payload,
    )


_FAILURES: dict[Status, Callable[[Payment, schemas.Payment], NoReturn]] = {
    Status.DECLINED: _declined,
    Status.REJECTED: _rejected,
    Status.CANCELED: _canceled,
    Status.RECEIVED: _did_not_go_through,
}


def _name(payment: Payment) -> str:
    if payment.amount is None:
        return f"The {payment.get_kind_display()}"
    return f"The {payment.get_kind_display()} ({payment.amount} {payment.currency.upper()})"


def _reason(payment: Payment) -> str:
    error = payment.error or {}
    is_not_executed = payment.status == Status.RECEIVED
    message = error.get("message") or ("Stripe could not be reached." if is_not_executed else "Stripe gives no reason.")
    code = error.get("decline_code") or error.get("code")
    return f"{message} ({code})" if code else message


def _stop(payment: Payment) -> str:
    error = payment.error or {}
    return f": {error['message'].rstrip('.')}" if error.get("code") == "stopped" else ""


def _no_money_moved(payment: Payment) -> str:
    return "Nothing was refunded." if payment.kind == Kind.REFUND else "Nothing was charged."


def _after_decline(payment: Payment) -> str:
    if payment.kind == Kind.REFUND:
        return "Refund the customer in another way, or try again with a new idempotency key."
    return "Have the customer update the payment method, then charge with a new idempotency key."
