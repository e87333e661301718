"""Every call that a bot can make.

Each function checks its arguments and builds the request; ``Client``, ``AsyncClient`` and the package's own functions
send it and return what the docstring says. All of them raise ``BillingError`` and its subclasses (see ``errors``):
``InvalidRequest`` before anything is sent, the others as the router raised them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from stripe_billing_router import validation
from stripe_billing_router.retries import Call, fetch_first, fetch_pages, send, send_charge, send_once
from stripe_billing_router.schemas import (
    Amount,
    Balance,
    CanceledSubscription,
    Change,
    CheckoutSession,
    Customer,
    NewRoute,
    Override,
    Payment,
    Refund,
    Resolution,
    Route,
    Status,
    Subscription,
    Token,
)
from stripe_billing_router.transport import Request

_LARGEST_PAGE = 200  # the router gives no more at once
_OVERRIDE_FIELDS = frozenset({"domain", "region", "business_category", "bot_name", "key", "value", "route"})


def charge(  # noqa: PLR0913 (the fields of a charge)
    bot: str,
    amount: Amount | None = None,
    *,
    quantity: int | None = None,
    price_id: str | None = None,
    currency: str | None = None,
    customer_id: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    dry_run: bool = False,
) -> Call[Payment]:
    """Charge the customer of the bot's route once, and return the payment that succeeded.

    ``bot``: ``"finance:finance_router_bot"``, or with its domain first, ``"stripe:finance:finance_router_bot"``.
    ``amount``: in the currency's main unit (10.0 and "10.00" are ten dollars), exact; without it the route's price is
    invoiced, ``quantity`` times (once unless passed). ``overrides``: qualifiers that choose among the bot's routes,
    such as ``{"region": "eu"}`` or ``{"business": "enterprise"}``. ``price_id`` and ``currency`` may only repeat what
    the route says; ``customer_id`` may be another customer that this bot created.

    ``idempotency_key`` names what is paid for: the same key never charges twice, however often the call is retried.
    Without one a new key is generated, which protects this call's own retries but not a second call.

    With ``dry_run`` everything is decided (route, keys, payment method, price, caps, pauses) and nothing is sent: the
    payment that would be made is returned, with the status ``received``.

    Waits and retries for the client's ``wait`` seconds. Raises ``Declined``, ``Rejected`` or ``Canceled`` if no money
    moved, ``OutcomeUnknown``, ``StillRunning`` or ``RouterUnavailable`` if it may have moved: then retry the call with
    ``error.context["idempotency_key"]``, never with a new one.
    """
    fields = {
        "bot": bot,
        "amount": amount,
        "quantity": quantity,
        "price_id": price_id,
        "currency": currency,
        "customer_id": customer_id,
        "description": description,
        "metadata": metadata,
        "overrides": overrides,
    }
    request = _post_once("/charges", fields, idempotency_key)
    return Call(replace(request, query="dry_run=true"), send) if dry_run else Call(request, send_charge)


def refund(  # noqa: PLR0913 (the fields of a refund)
    bot: str,
    payment: str,
    amount: Amount | None = None,
    *,
    reason: str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Refund]:
    """Refund one of the bot's own payments, in full or in part, and return the refund.

    ``payment``: the payment's ``id``, or its ``pi_…``, ``ch_…`` or ``in_…`` at Stripe. ``amount``: in the currency's
    main unit; all that is left of the payment unless passed. Name the refund with an ``idempotency_key`` as in
    ``charge``.
    """
    fields = {"bot": bot, "payment": payment, "amount": amount, "reason": reason, "metadata": metadata}
    return Call(_post_once("/refunds", fields, idempotency_key, "payment"), send)


def create_customer(  # noqa: PLR0913 (the fields of a customer)
    bot: str,
    customer: Mapping[str, Any] | None = None,
    *,
    email: str | None = None,
    name: str | None = None,
    phone: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Customer]:
    """Create a customer on the account of the bot's route and return it: ``{"id": "cus_…", …}``.

    Pass the fields in the dict ``customer`` or as keywords.
    """
    keywords = {
        "email": email,
        "name": name,
        "phone": phone,
        "description": description,
        "metadata": metadata,
        "overrides": overrides,
    }
    fields = validation.merge("customer", customer, keywords)
    return Call(_post_once("/customers", {"bot": bot, **fields}, idempotency_key), send)


def create_subscription(  # noqa: PLR0913 (the fields of a subscription)
    bot: str,
    *,
    price_id: str | None = None,
    quantity: int | None = None,
    customer_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Subscription]:
    """Subscribe the customer of the bot's route to the route's price and return it: ``{"id": "sub_…", …}``."""
    fields = {
        "bot": bot,
        "price_id": price_id,
        "quantity": quantity,
        "customer_id": customer_id,
        "metadata": metadata,
        "overrides": overrides,
    }
    return Call(_post_once("/subscriptions", fields, idempotency_key), send)


def cancel_subscription(bot: str, subscription: str, *, at_period_end: bool = False) -> Call[CanceledSubscription]:
    """Cancel one of the bot's subscriptions now, or at the end of the period that is paid for, and return its state.

    ``subscription``: Stripe's id ``sub_…``, or the id of the payment that began it. Idempotent, and possible while
    billing is paused. The token needs the scope ``subscription``.
    """
    name = quote(validation.identifier("subscription", subscription), safe="")
    body = validation.json_body({"bot": bot, "at_period_end": at_period_end}, required=("bot",))
    return Call(Request("POST", f"/subscriptions/{name}/cancel", body=body), send)


def create_checkout_session(  # noqa: PLR0913 (the fields of a session)
    bot: str,
    session: Mapping[str, Any] | None = None,
    *,
    success_url: str | None = None,
    cancel_url: str | None = None,
    mode: str | None = None,
    customer_id: str | None = None,
    line_items: Sequence[Mapping[str, Any]] | None = None,
    amount: Amount | None = None,
    quantity: int | None = None,
    metadata: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[CheckoutSession]:
    """Create a Checkout Session and return it: ``{"id": "cs_…", "url": "https://…", …}``; the customer pays at ``url``.

    Pass the fields in the dict ``session`` or as keywords; ``success_url`` is required, an https address. Without
    ``amount`` and ``line_items`` the route's price is sold; in the ``mode`` ``"setup"`` nothing is, and the customer
    gives a payment method, which later charges use. ``customer_id`` may be a customer that this bot created.
    """
    keywords = {
        "success_url": success_url,
        "cancel_url": cancel_url,
        "mode": mode,
        "customer_id": customer_id,
        "line_items": line_items,
        "amount": amount,
        "quantity": quantity,
        "metadata": metadata,
        "overrides": overrides,
    }
    fields = validation.merge("session", session, keywords)
    return Call(_post_once("/checkout-sessions", {"bot": bot, **fields}, idempotency_key, "success_url"), send)


def get_balance(bot: str) -> Call[Balance]:
    """Return the balance of the account of the bot's domain, one entry per currency, amounts as decimal strings.

    ``{"available": [{"amount": "120.50", "currency": "usd"}], "pending": […], …}``. The token needs the scope
    ``balance``.
    """
    return Call(_get("/balance", bot=validation.identifier("bot", bot)), send)


def whoami() -> Call[Token]:
    """Return what the token allows: its bots, scopes, qualifiers and limits, and when it expires."""
    return Call(Request("GET", "/whoami"), send)


def get_payment(payment_id: str | None = None, *, idempotency_key: str | None = None) -> Call[Payment]:
    """Return one of the bot's own payments as the ledger has it now, whatever its status.

    It is named by its ``id``, or by the ``idempotency_key`` with which it was requested; raises ``NotFound`` where the
    token's bots have none. A token of several bots finds the newest one that has the key.
    """
    if idempotency_key is not None and payment_id is None:
        key = validation.idempotency_key(idempotency_key)
        return Call(_get("/charges", idempotency_key=key, limit="1"), fetch_first)
    name = quote(validation.identifier("payment_id", payment_id), safe="")
    return Call(Request("GET", f"/charges/{name}"), send)


def list_payments(*, status: Status | None = None, limit: int = 100) -> Call[list[Payment]]:
    """Return the bot's own payments, newest first, at most ``limit`` of them; ``status`` filters them."""
    page = min(validation.positive_integer("limit", limit), _LARGEST_PAGE)
    request = _get("/charges", status=status, limit=str(page))
    return Call(request, partial(fetch_pages, at_most=limit))


def payments_page(status: Status | None) -> Request:
    """Return the request for the first page of the bot's own payments."""
    return _get("/charges", status=status, limit=str(_LARGEST_PAGE))


def resolve(
    bot: str, overrides: Mapping[str, str] | None = None, as_of: datetime | str | None = None
) -> Call[Resolution]:
    """Return the route that a call would take and why, without calling Stripe.

    ``as_of``: an aware datetime, or an ISO 8601 string; now unless passed.
    """
    body = validation.json_body({"bot": bot, "overrides": overrides, "as_of": as_of}, required=("bot",))
    return Call(Request("POST", "/routes/resolve", body=body), send)


def list_routes(
    *,
    domain: str | None = None,
    region: str | None = None,
    business_category: str | None = None,
    bot_name: str | None = None,
) -> Call[list[Route]]:
    """Return the registered routes of the token's bots, filtered by what is passed."""
    parts = {"domain": domain, "region": region, "business_category": business_category, "bot_name": bot_name}
    return Call(_get("/routes", **parts, limit=str(_LARGEST_PAGE)), fetch_pages)


def register_route(
    business_category: str, bot_name: str, route: NewRoute, *, domain: str = "stripe", region: str = "default"
) -> Call[Route | Change]:
    """Register a bot's route in a region, or change it, and return it as registered.

    Where the domain asks for another person's approval the result is the ``Change`` that was proposed, which has the
    number ``change``: see ``get_change``.

    ``route``: ``product_id``, ``price_id``, ``customer_id`` and ``currency`` (``"usd"`` unless passed). A category,
    region or bot that is new is created; the domain must exist. Idempotent. The token needs the scope ``routes:write``.
    """
    fields = {
        "domain": domain,
        "region": region,
        "business_category": business_category,
        "bot_name": bot_name,
        "route": route,
    }
    required = fields.keys()
    return Call(Request("PUT", "/routes", body=validation.json_body(fields, required=required)), send_once)


def register_override(override: Mapping[str, Any]) -> Call[Override | Change]:
    """Register what changes for callers that pass the qualifier ``key=value``, and return it as registered.

    Where the domain asks for another person's approval the result is the ``Change`` that was proposed.

    ``override``: ``business_category``, ``bot_name``, ``key``, ``value`` and ``route``, a dict of the fields that
    change; ``domain`` is ``"stripe"`` unless passed, and without ``region`` it applies in every region. Idempotent.
    The token needs the scope ``routes:write``.
    """
    fields = validation.check_fields("override", override, _OVERRIDE_FIELDS)
    required = _OVERRIDE_FIELDS - {"domain", "region"}
    return Call(Request("PUT", "/overrides", body=validation.json_body(fields, required=required)), send_once)


def get_change(change: int) -> Call[Change]:
    """Return what became of a route or override that this token has proposed. It needs the scope ``routes:write``."""
    return Call(Request("GET", f"/changes/{validation.positive_integer('change', change)}"), send)


def _post_once(path: str, fields: validation.Fields, key: str | None, *required: str) -> Request:
    """Return a request that takes effect once per idempotency key."""
    body = validation.json_body(fields, required=("bot", *required))
    return Request("POST", path, body=body, idempotency_key=validation.idempotency_key(key))


def _get(path: str, **parameters: str | None) -> Request:
    query = {name: validation.string(name, value) for name, value in parameters.items() if value is not None}
    return Request("GET", path, query=urlencode(query))
