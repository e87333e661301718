"""Payment intents: a payment from the wish to the money."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.currencies import check_amount
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import made, new_id
from sandbox.resources import charging, payment_methods

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE = (*CONFIRMABLE, "requires_capture")
_ONLY_WITH_CONFIRM = ("off_session", "error_on_requires_action", "return_url")
_PLAIN = ("description", "receipt_email", "shipping", "statement_descriptor_suffix")


def make(work: Work, *, amount: int, currency: str, customer: str | None, **fields: Any) -> Json:
    """Make an intent that waits for a payment method; ``fields`` are any of the intent's own."""
    identifier = new_id("pi")
    usual = {
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": work.now,
        "metadata": {},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }
    wanted = {**usual, **fields, "amount": amount, "currency": currency, "customer": customer}
    intent = work.put(made("payment_intent", id=identifier, **wanted))
    work.announce("payment_intent.created", intent)
    return intent


def cancel(work: Work, intent: Json, reason: str | None) -> Json:
    if intent["status"] not in _CANCELABLE:
        raise unexpected_state(intent, "canceled")
    canceled = work.change(
        intent,
        status="canceled",
        amount_capturable=0,
        canceled_at=work.now,
        cancellation_reason=reason,
        next_action=None,
        processing=None,
    )
    work.announce("payment_intent.canceled", canceled)
    return canceled


def unexpected_state(intent: Json, wish: str) -> StripeError:
    return StripeError(
        400,
        "invalid_request_error",
        f"This PaymentIntent could not be {wish} because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    check_amount(params["amount"], params["currency"])
    _check_conditions(params)
    customer = params.get("customer")
    if customer is not None:
        work.get("customer", customer, param="customer")
    fields = {name: params[name] for name in (*_PLAIN, "capture_method", "setup_future_usage") if name in params}
    intent = make(
        work,
        amount=params["amount"],
        currency=params["currency"],
        customer=customer,
        metadata=metadata.merged({}, params),
        **fields,
        **_automatic(params),
    )
    if params.get("confirm"):
        return _pay(work, intent, params)
    if "payment_method" not in params:
        return intent
    method = payment_methods.to_charge(work, params["payment_method"], customer)
    return work.change(intent, payment_method=method["id"], status="requires_confirmation")


def _check_conditions(params: dict[str, Any]) -> None:
    for name in _ONLY_WITH_CONFIRM:
        if name in params and not params.get("confirm"):
            raise invalid(f"You cannot set {name} unless you are also setting confirm to true.", param=name)
    if params.get("off_session") and "setup_future_usage" in params:
        raise invalid("You cannot provide both off_session and setup_future_usage.", param="setup_future_usage")


def _automatic(params: dict[str, Any]) -> dict[str, Any]:
    chosen = params.get("automatic_payment_methods")
    if chosen is None:
        return {}
    if not chosen["enabled"]:
        raise invalid(
            "The sandbox takes automatic_payment_methods[enabled]=true alone.",
            param="automatic_payment_methods[enabled]",
        )
    return {"automatic_payment_methods": {"allow_redirects": "always", **chosen}}


def _pay(work: Work, intent: Json, params: dict[str, Any]) -> Json:
    identifier = params.get("payment_method", intent["payment_method"])
    if identifier is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    if intent["automatic_payment_methods"]["allow_redirects"] == "always" and "return_url" not in params:
        raise invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
            "these payment methods might redirect your customer off of your page, you must provide a `return_url`. If "
            "you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to "
            "`true` and `automatic_payment_methods[allow_redirects]` to `never`.",
            param="return_url",
        )
    method = payment_methods.to_charge(work, identifier, intent["customer"])
    return charging.attempt(
        work,
        intent,
        method,
        off_session=bool(params.get("off_session")),
        error_on_action=params.get("error_on_requires_action", False),
    )


def _retrieve(call: Call) -> Json:
    return call.work.get("payment_intent", call.id, param="intent", status=404)


def _update(call: Call) -> Json:
    intent = _retrieve(call)
    if intent["status"] in ("succeeded", "canceled") and call.params.keys() - {"metadata", "description", "expand"}:
        raise unexpected_state(intent, "updated")
    plain = {name: call.params[name] or None for name in _PLAIN if name in call.params}
    return call.work.change(intent, **plain, metadata=metadata.merged(intent["metadata"], call.params))


def _confirm(call: Call) -> Json:
    intent = _retrieve(call)
    _check_not_of_invoice(intent)
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "confirmed")
    return _pay(call.work, intent, call.params)


def _cancel(call: Call) -> Json:
    intent = _retrieve(call)
    _check_not_of_invoice(intent)
    return cancel(call.work, intent, call.params.get("cancellation_reason"))


def _check_not_of_invoice(intent: Json) -> None:
    invoice = (intent["payment_details"] or {}).get("order_reference")
    if invoice:
        raise invalid(f"This PaymentIntent belongs to the invoice {invoice}: pay or void that instead.")


def _capture(call: Call) -> Json:
    intent = _retrieve(call)
    if intent["status"] != "requires_capture":
        raise unexpected_state(intent, "captured")
    amount = call.params["amount_to_capture"] if "amount_to_capture" in call.params else intent["amount_capturable"]
    if not 1 <= amount <= intent["amount_capturable"]:
        raise invalid(
            "The amount to capture must be positive and no more than what is capturable.", param="amount_to_capture"
        )
    charge = call.work.get("charge", intent["latest_charge"], param="intent")
    return charging.collect(call.work, intent, charge, amount)


def _list(call: Call) -> Json:
    if "customer" in call.params:
        call.work.get("customer", call.params["customer"], param="customer")
    return lists.page(call, "payment_intent", lists.asked(call, "customer"))


_CONFIRMED_BY = "payment_method off_session error_on_requires_action return_url"

ENDPOINTS: Endpoints = {
    ("POST", "/v1/payment_intents"): endpoint(
        _create,
        f"amount currency customer confirm metadata automatic_payment_methods capture_method setup_future_usage "
        f"{' '.join(_PLAIN)} {_CONFIRMED_BY}",
    ),
    ("GET", "/v1/payment_intents/{intent}"): endpoint(_retrieve),
    ("POST", "/v1/payment_intents/{intent}"): endpoint(_update, f"metadata {' '.join(_PLAIN)}"),
    ("POST", "/v1/payment_intents/{intent}/confirm"): endpoint(_confirm, _CONFIRMED_BY),
    ("POST", "/v1/payment_intents/{intent}/cancel"): endpoint(_cancel, "cancellation_reason"),
    ("POST", "/v1/payment_intents/{intent}/capture"): endpoint(_capture, "amount_to_capture"),
    ("GET", "/v1/payment_intents"): listing(_list, "customer created"),
}
