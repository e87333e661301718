"""Checkout sessions: a page on which a customer pays, from its making to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import made, new_id
from sandbox.resources import checkout_lines

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_LONGEST = 24 * 60 * 60  # seconds that a session may stay open
_SHORTEST = 30 * 60
_OF_INTENT = {"description", "metadata", "setup_future_usage", "receipt_email", "statement_descriptor_suffix"}


def current(work: Work, identifier: str) -> Json:
    """Return the session, expired if its time is over."""
    session = work.get("checkout.session", identifier, param="session", status=404)
    if session["status"] == "open" and session["expires_at"] <= work.now:
        return _expired(work, session)
    return session


def _expired(work: Work, session: Json) -> Json:
    expired = work.change(session, status="expired", url=None)
    work.announce("checkout.session.expired", expired)
    return expired


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    _check_form(params)
    if not _SHORTEST <= params.get("expires_at", work.now + _LONGEST) - work.now <= _LONGEST:
        raise invalid(
            "The session must expire in no less than 30 minutes and no more than 24 hours.", param="expires_at"
        )
    if "customer" in params:
        work.get("customer", params["customer"], param="customer")
    identifier = new_id("cs_live")
    lines = checkout_lines.make(work, identifier, params)
    return work.put(_made(work, identifier, params, checkout_lines.sums(lines)))


def _made(work: Work, identifier: str, params: dict[str, Any], sums: Json) -> Json:
    same = {name: params.get(name) for name in ("cancel_url", "client_reference_id", "customer", "customer_email")}
    fields = made(
        "checkout.session",
        id=identifier,
        adaptive_pricing={"enabled": False},
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        created=work.now,
        custom_fields=[],
        custom_text=dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        customer_creation=None if params.get("customer") or params["mode"] == "subscription" else "if_required",
        expires_at=params.get("expires_at", work.now + _LONGEST),
        metadata=metadata.merged({}, params),
        mode=params["mode"],
        payment_method_collection="always" if params["mode"] == "subscription" else "if_required",
        payment_method_options={},
        payment_method_types=["card"],
        payment_status="unpaid",
        phone_number_collection={"enabled": False},
        shipping_options=[],
        status="open",
        success_url=params["success_url"],
        ui_mode="hosted",
        url=f"https://not-stripe.invalid/c/pay/{identifier}",
        **sums,
        **same,
    )
    later = params.get("payment_intent_data") or params.get("subscription_data") or {}
    on_payment = {**later, "metadata": metadata.merged({}, later)}
    return {**fields, "sandbox_on_payment": on_payment, "sandbox_currency": params.get("currency")}


def _check_form(params: dict[str, Any]) -> None:
    for name in ("mode", "success_url", "line_items"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if params["mode"] == "setup":
        raise invalid("The sandbox has no sessions of the mode setup.", param="mode")
    foreign = {"payment": "subscription_data", "subscription": "payment_intent_data"}[params["mode"]]
    if foreign in params:
        raise invalid(f"You can not pass `{foreign}` in `{params['mode']}` mode.", param=foreign)
    unknown = params.get("payment_intent_data", {}).keys() - _OF_INTENT
    unknown |= params.get("subscription_data", {}).keys() - {"description", "metadata"}
    if unknown:
        raise invalid(f"The sandbox does not act on {', '.join(sorted(unknown))} of a session's payment.")
    if "customer" in params and "customer_email" in params:
        raise invalid("You may only specify one of these parameters: customer, customer_email.", param="customer")


def _retrieve(call: Call) -> Json:
    return current(call.work, call.id)


def _expire(call: Call) -> Json:
    session = _retrieve(call)
    if session["status"] != "open":
        raise StripeError(
            400,
            "invalid_request_error",
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.',
        )
    return _expired(call.work, session)


def _list(call: Call) -> Json:
    where = lists.asked(call, "customer", "payment_intent", "subscription", "status")
    return lists.page(call, "checkout.session", where)


ENDPOINTS: Endpoints = {
    ("POST", "/v1/checkout/sessions"): endpoint(
        _create,
        "mode line_items currency success_url cancel_url customer customer_email client_reference_id metadata "
        "expires_at payment_intent_data subscription_data",
    ),
    ("GET", "/v1/checkout/sessions/{session}"): endpoint(_retrieve),
    ("POST", "/v1/checkout/sessions/{session}/expire"): endpoint(_expire),
    ("GET", "/v1/checkout/sessions"): listing(_list, "customer payment_intent subscription status created"),
}
