"""How a payment reads to a bot, and which error its state is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from routing.access import caps
from routing.errors import Canceled, Declined, Rejected, StripeUnavailable
from routing.payments.models import Kind
from routing.payments.states import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from routing.payments.models import Payment


def document(payment: Payment) -> dict[str, Any]:
    """Return the payment as JSON values; ``amount`` is a decimal string in the currency's own units."""
    return {
        "id": str(payment.id),
        "kind": payment.kind,
        "status": payment.status,
        "bot": payment.bot,
        "amount": payment.amount,
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
        "created_at": _text(payment.created_at),
        "settled_at": _text(payment.settled_at),
    }


def document_with_caps(payment: Payment) -> dict[str, Any]:
    """Return the payment, and what is left now of each cap that is on it; ``caps.left_for`` has the shape."""
    return document(payment) | {"caps": caps.left_for(payment.id)}


def raise_if_failed(payment: Payment, told: dict[str, Any] | None = None) -> None:
    """Raise the error that a payment's state is; return for one that succeeded or whose outcome is still open.

    ``told`` is the document that the error carries, the payment's own unless given.
    """
    if failure := _FAILURES.get(Status(payment.status)):
        failure(payment, told or document(payment))


def _declined(payment: Payment, told: dict[str, Any]) -> NoReturn:
    raise Declined(
        f"{_what(payment)} was declined: {_reason(payment)} {_nothing_moved(payment)} {_after_decline(payment)}",
        payment=told,
    )


def _rejected(payment: Payment, told: dict[str, Any]) -> NoReturn:
    raise Rejected(
        f"{_what(payment)} was refused by Stripe: {_reason(payment)} {_nothing_moved(payment)} "
        "Correct the route or the request, then use a new idempotency key.",
        payment=told,
    )


def _canceled(payment: Payment, told: dict[str, Any]) -> NoReturn:
    raise Canceled(
        f"{_what(payment)} was canceled. {_nothing_moved(payment)} To do it after all, use a new idempotency key.",
        payment=told,
    )


def _put_off(payment: Payment, told: dict[str, Any]) -> NoReturn:
    raise StripeUnavailable(
        f"{_what(payment)} was not made: {_reason(payment)} Try again with the same idempotency key.",
        payment=told,
    )


_FAILURES: dict[Status, Callable[[Payment, dict[str, Any]], NoReturn]] = {
    Status.DECLINED: _declined,
    Status.REJECTED: _rejected,
    Status.CANCELED: _canceled,
    Status.RECEIVED: _put_off,
}


def _what(payment: Payment) -> str:
    if payment.amount is None:
        return f"The {payment.get_kind_display()}"
    return f"The {payment.get_kind_display()} ({payment.amount} {payment.currency.upper()})"


def _reason(payment: Payment) -> str:
    error = payment.error or {}
    is_put_off = payment.status == Status.RECEIVED
    words = error.get("message") or ("Stripe could not be reached." if is_put_off else "Stripe does not say why.")
    code = error.get("decline_code") or error.get("code")
    return f"{words} ({code})" if code else words


def _nothing_moved(payment: Payment) -> str:
    return "Nothing was given back." if payment.kind == Kind.REFUND else "Nothing was charged."


def _after_decline(payment: Payment) -> str:
    if payment.kind == Kind.REFUND:
        return "Give the money back in another way, or try again with a new idempotency key."
    return "Have the customer's payment method mended, then charge with a new idempotency key."


def _text(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
