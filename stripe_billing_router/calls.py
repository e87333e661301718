"""Every call that a bot can make, as its maker sees it.

Each function checks its arguments and describes the request; ``Client``, ``AsyncClient`` and the package's own
functions carry it out and return what the docstring says. All of them raise ``BillingError`` and its kinds (see
``errors``): ``InvalidRequest`` before anything is sent, the others as the router answered.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from stripe_billing_router import arguments
from stripe_billing_router.conversation import Call, answered, charged, every_page
from stripe_billing_router.shapes import Amount, Balance, Payment, Record, RegisteredOverride, RegisteredRoute, Route
from stripe_billing_router.wire import Request

_PAGE = 200  # the router's longest page
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
) -> Call[Payment]:
    """Charge the customer of the bot's route once, and return the payment that succeeded.

    ``bot``: ``"finance:finance_router_bot"``, or with its domain first, ``"stripe:finance:finance_router_bot"``.
    ``amount``: in the currency's own units (10.0 and "10.00" are ten dollars), exact; without it the route's price is
    invoiced, ``quantity`` times (1 unless given). ``overrides``: the qualifiers that choose among the bot's routes,
    such as ``{"region": "eu"}`` or ``{"business": "enterprise"}``. ``price_id``, ``currency`` and ``customer_id``
    may only repeat or narrow what the bot's routes allow.

    ``idempotency_key`` names what is paid for: the same key never pays twice, however often the call is repeated.
    Without one a new key is made, which protects this call's own retries but not a second call.

    Waits and retries for the client's ``wait`` seconds. Raises ``Declined``, ``Rejected`` or ``Canceled`` if no money
    moved, ``OutcomeUnknown``, ``StillRunning`` or ``RouterUnavailable`` if it may have moved: then repeat the call
    with ``error.context["idempotency_key"]``, never with a new one.
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
    return Call(_once("/charges", fields, idempotency_key), charged)


def refund(  # noqa: PLR0913 (the fields of a refund)
    bot: str,
    payment: str,
    amount: Amount | None = None,
    *,
    reason: str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Record]:
    """Refund one of the bot's own payments, whole or in part, and return the refund.

    ``payment``: the payment's ``id``, or its ``pi_…`` or ``ch_…`` at Stripe. ``amount``: in the currency's own units;
    all that is left of the payment unless given. Name the refund with an ``idempotency_key`` as in ``charge``.
    """
    fields = {"bot": bot, "payment": payment, "amount": amount, "reason": reason, "metadata": metadata}
    return Call(_once("/refunds", fields, idempotency_key, "payment"), answered)


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
) -> Call[Record]:
    """Create a customer on the account of the bot's route and return it: ``{"id": "cus_…", …}``.

    The fields go in the dict ``customer`` or as keywords.
    """
    keywords = {
        "email": email,
        "name": name,
        "phone": phone,
        "description": description,
        "metadata": metadata,
        "overrides": overrides,
    }
    fields = arguments.gathered("customer", customer, keywords)
    return Call(_once("/customers", {"bot": bot, **fields}, idempotency_key), answered)


def create_subscription(  # noqa: PLR0913 (the fields of a subscription)
    bot: str,
    *,
    price_id: str | None = None,
    quantity: int | None = None,
    customer_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Record]:
    """Subscribe the customer of the bot's route to the route's price and return it: ``{"id": "sub_…", …}``."""
    fields = {
        "bot": bot,
        "price_id": price_id,
        "quantity": quantity,
        "customer_id": customer_id,
        "metadata": metadata,
        "overrides": overrides,
    }
    return Call(_once("/subscriptions", fields, idempotency_key), answered)


def create_checkout_session(  # noqa: PLR0913 (the fields of a session)
    bot: str,
    session: Mapping[str, Any] | None = None,
    *,
    success_url: str | None = None,
    cancel_url: str | None = None,
    mode: str | None = None,
    line_items: Sequence[Mapping[str, Any]] | None = None,
    amount: Amount | None = None,
    quantity: int | None = None,
    metadata: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Record]:
    """Open a page at Stripe on which a person pays, and return it: ``{"id": "cs_…", "url": "https://…", …}``.

    The fields go in the dict ``session`` or as keywords; ``success_url`` is needed. Without ``amount`` and
    ``line_items`` the route's price is sold.
    """
    keywords = {
        "success_url": success_url,
        "cancel_url": cancel_url,
        "mode": mode,
        "line_items": line_items,
        "amount": amount,
        "quantity": quantity,
        "metadata": metadata,
        "overrides": overrides,
    }
    fields = arguments.gathered("session", session, keywords)
    return Call(_once("/checkout-sessions", {"bot": bot, **fields}, idempotency_key, "success_url"), answered)


def get_balance(bot: str) -> Call[Balance]:
    """Return the balance of the account of the bot's domain, one entry a currency, amounts as decimal strings.

    ``{"available": [{"amount": "120.50", "currency": "usd"}], "pending": […], …}``. The token needs the scope for it.
    """
    return Call(_get("/balance", bot=arguments.identifier("bot", bot)), answered)


def get_payment(payment_id: str) -> Call[Payment]:
    """Return one of the bot's own payments as the ledger has it now, whatever its status."""
    return Call(Request("GET", f"/charges/{quote(arguments.identifier('payment_id', payment_id), safe='')}"), answered)


def list_payments(*, status: str | None = None, limit: int = 100) -> Call[list[Payment]]:
    """Return the bot's own payments, newest first, at most ``limit`` of them; ``status`` keeps those in that state."""
    page = min(arguments.count("limit", limit), _PAGE)
    request = _get("/charges", status=status, limit=str(page))
    return Call(request, partial(every_page, at_most=limit))


def resolve(bot: str, overrides: Mapping[str, str] | None = None, as_of: datetime | str | None = None) -> Call[Record]:
    """Return the route that a call would take and why, without any call to Stripe.

    ``as_of``: an aware datetime, or its ISO 8601 text; now unless given.
    """
    body = arguments.body({"bot": bot, "overrides": overrides, "as_of": as_of}, required=("bot",))
    return Call(Request("POST", "/routes/resolve", body=body), answered)


def list_routes(
    *,
    domain: str | None = None,
    region: str | None = None,
    business_category: str | None = None,
    bot_name: str | None = None,
) -> Call[list[RegisteredRoute]]:
    """Return every registered route that has the parts named, all of them if none is."""
    parts = {"domain": domain, "region": region, "business_category": business_category, "bot_name": bot_name}
    return Call(_get("/routes", **parts, limit=str(_PAGE)), every_page)


def register_route(
    business_category: str, bot_name: str, route: Route, *, domain: str = "stripe", region: str = "default"
) -> Call[RegisteredRoute]:
    """Register a bot's route in a region, or change it, and return what is now registered.

    ``route``: ``product_id``, ``price_id``, ``customer_id`` and ``currency`` (``"usd"`` unless given). The category,
    the region and the bot come to be; the domain must exist. It may be repeated. The token needs ``routes:write``.
    """
    fields = {
        "domain": domain,
        "region": region,
        "business_category": business_category,
        "bot_name": bot_name,
        "route": route,
    }
    required = fields.keys()
    return Call(Request("PUT", "/routes", body=arguments.body(fields, required=required)), answered)


def register_override(override: Mapping[str, Any]) -> Call[RegisteredOverride]:
    """Register what changes for callers that name the qualifier ``key=value``, and return what is now registered.

    ``override``: ``business_category``, ``bot_name``, ``key``, ``value`` and ``route``, a dict of the fields that
    change; ``domain`` is ``"stripe"`` unless given, and without ``region`` it holds in every region. It may be
    repeated. The token needs ``routes:write``.
    """
    fields = arguments.only("override", override, _OVERRIDE_FIELDS)
    required = _OVERRIDE_FIELDS - {"domain", "region"}
    return Call(Request("PUT", "/overrides", body=arguments.body(fields, required=required)), answered)


def _once(path: str, fields: arguments.Fields, key: str | None, *required: str) -> Request:
    """Describe what may be done only once, named by an idempotency key."""
    body = arguments.body(fields, required=("bot", *required))
    return Request("POST", path, body=body, idempotency_key=arguments.idempotency_key(key))


def _get(path: str, **parameters: str | None) -> Request:
    given = {name: arguments.text(name, value) for name, value in parameters.items() if value is not None}
    return Request("GET", path, query=urlencode(given))
