"""Checkout sessions: a page on which a customer pays, from its making to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.currencies import check_amount
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import made, new_id
from sandbox.resources import checkout_lines, discounts, setup_intents, tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_LONGEST = 24 * 60 * 60  # seconds that a session may stay open
_SHORTEST = 30 * 60
_NEEDED = {"payment": ("line_items",), "subscription": ("line_items",), "setup": ("currency",)}
_ONLY_IN = {
    "allow_promotion_codes": ("payment", "subscription"),
    "customer_creation": ("payment", "setup"),
    "discounts": ("payment", "subscription"),
    "line_items": ("payment", "subscription"),
    "payment_intent_data": ("payment",),
    "setup_intent_data": ("setup",),
    "subscription_data": ("subscription",),
}
_DATA = {
    "payment_intent_data": {
        "description", "metadata", "receipt_email", "setup_future_usage", "statement_descriptor_suffix",
    },
    "setup_intent_data": {"description", "metadata"},
    "subscription_data": {"default_tax_rates", "description", "metadata", "trial_end", "trial_period_days"},
}  # fmt: skip


def current(work: Work, identifier: str) -> Json:
    """Return the session, expired if its time is over."""
    session = work.get("checkout.session", identifier, param="session", status=404)
    if session["status"] == "open" and session["expires_at"] <= work.now:
        return expire(work, session)
    return session


def expire(work: Work, session: Json) -> Json:
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
    if params["mode"] == "setup":
        intent = setup_intents.make(work, params.get("customer"), params.get("setup_intent_data", {}))
        return work.put(
            _made(work, identifier, params, {"currency": params.get("currency"), "setup_intent": intent["id"]})
        )
    lines = checkout_lines.make(work, identifier, params)
    currency = checkout_lines.currency(work, params, lines)
    return work.put(_made(work, identifier, params, amounts(work, params, lines, currency)))


def amounts(work: Work, wanted: dict[str, Any], lines: list[Json], currency: str) -> Json:
    """Price a session's lines; ``wanted`` has its mode, customer and discounts. Return the session's amounts."""
    customer = work.find("customer", wanted.get("customer") or "")
    offered = discounts.offered(work, wanted.get("discounts") or [], currency, wanted.get("customer"))
    if customer and not offered and wanted["mode"] == "subscription":
        offered = discounts.reductions(work, discounts.inherited(work, customer, currency), currency)
    sums = checkout_lines.priced(work, lines, currency, offered)
    if wanted["mode"] == "payment" and sums["amount_total"]:
        check_amount(sums["amount_total"], currency)
    return sums


def _made(work: Work, identifier: str, params: dict[str, Any], sums: Json) -> Json:
    same = {name: params.get(name) for name in ("cancel_url", "client_reference_id", "customer", "customer_email")}
    fields = made(
        "checkout.session",
        id=identifier,
        adaptive_pricing={"enabled": False},
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        created=work.now,
        allow_promotion_codes=params.get("allow_promotion_codes"),
        custom_fields=[],
        discounts=[{"coupon": None, "promotion_code": None, **each} for each in params.get("discounts", [])],
        custom_text=dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        customer_creation=_customer_creation(params),
        expires_at=params.get("expires_at", work.now + _LONGEST),
        metadata=metadata.merged({}, params),
        mode=params["mode"],
        payment_method_collection="always" if params["mode"] == "subscription" else "if_required",
        payment_method_options={},
        payment_method_types=["card"],
        payment_status="no_payment_required" if params["mode"] == "setup" else "unpaid",
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


def _customer_creation(params: dict[str, Any]) -> str | None:
    if "customer" in params or params["mode"] == "subscription":
        return None
    return str(params.get("customer_creation", "if_required"))


def _check_form(params: dict[str, Any]) -> None:
    mode = params.get("mode")
    for name in ("mode", "success_url", *_NEEDED.get(mode or "", ())):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    for name, modes in _ONLY_IN.items():
        if name in params and mode not in modes:
            raise invalid(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    for data, known in _DATA.items():
        if unknown := params.get(data, {}).keys() - known:
            raise invalid(f"The sandbox does not act on {', '.join(sorted(unknown))} in {data}.", param=data)
    for pair in (("allow_promotion_codes", "discounts"), ("customer", "customer_email")):
        if all(name in params for name in pair):
            raise invalid(f"You may only specify one of these parameters: {', '.join(pair)}.", param=pair[0])
    if len(params.get("discounts", [])) > 1:
        raise invalid("You may specify only one discount.", param="discounts")
    tax_rates.check_not_automatic(params)


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
    return expire(call.work, session)


def _list(call: Call) -> Json:
    where = lists.asked(call, "customer", "payment_intent", "subscription", "status")
    return lists.page(call, "checkout.session", where)


ENDPOINTS: Endpoints = {
    ("POST", "/v1/checkout/sessions"): endpoint(
        _create,
        "mode line_items currency success_url cancel_url customer customer_email client_reference_id metadata "
        "expires_at payment_intent_data subscription_data discounts allow_promotion_codes automatic_tax "
        "customer_creation setup_intent_data",
    ),
    ("GET", "/v1/checkout/sessions/{session}"): endpoint(_retrieve),
    ("POST", "/v1/checkout/sessions/{session}/expire"): endpoint(_expire),
    ("GET", "/v1/checkout/sessions"): listing(_list, "customer payment_intent subscription status created"),
}
