"""Checkout pages: a person pays at Stripe, on the route's customer and price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from routing.errors import InvalidRequest
from routing.money import to_minor
from routing.payments import calls
from routing.payments.accounts import keys_of
from routing.payments.decisions import columns, ground, priced, require_quantity, require_same, routed
from routing.payments.exactly_once import Asked, Decision, Made, make
from routing.payments.metadata import for_stripe
from routing.payments.models import Kind
from routing.registry.snapshot import current as current_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from routing.identifiers import BotId
    from routing.payments.models import Payment
    from routing.registry.rules import Route
    from routing.registry.snapshot import Snapshot

MODES = ("payment", "subscription")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """What to sell: an ``amount`` of the route's product, or the route's price.

    ``line_items`` may repeat the route's price, as Stripe writes it: ``[{"price": "price_…", "quantity": 2}]``.
    """

    success_url: str
    cancel_url: str = ""
    mode: str = "payment"
    amount: str | int | Decimal | None = None
    quantity: int | None = None
    line_items: Sequence[Mapping[str, Any]] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)


def open_checkout(bot: BotId, wanted: Checkout, *, idempotency_key: str) -> Made:
    """Open a checkout page at most once for the bot and key; the payment waits for the customer until it is paid."""
    _check(wanted)
    words = {
        "success_url": wanted.success_url,
        "cancel_url": wanted.cancel_url,
        "mode": wanted.mode,
        "amount": None if wanted.amount is None else str(wanted.amount),
        "quantity": wanted.quantity,
        "line_items": [dict(item) for item in wanted.line_items],
        "metadata": dict(wanted.metadata),
        "overrides": dict(wanted.overrides),
    }
    asked = Asked(bot, idempotency_key, {"checkout": words})
    return make(asked, lambda snapshot: _decide(asked, wanted, snapshot))


def publishable_key(payment: Payment) -> str | None:
    """Return the public key of the account that the page is on, for Stripe's script in a browser."""
    domain = current_snapshot().table.domains.get(payment.domain)
    return keys_of(domain)[0].public_key if domain else None


def _check(wanted: Checkout) -> None:
    if wanted.mode not in MODES:
        raise InvalidRequest(f"The mode must be one of {', '.join(MODES)}.")
    for name in ("success_url", "cancel_url"):
        address = getattr(wanted, name)
        if (address or name == "success_url") and not address.startswith(("https://", "http://localhost")):
            raise InvalidRequest(f"The {name} must be an https address.")
    if wanted.amount is not None and (wanted.mode != "payment" or wanted.line_items):
        raise InvalidRequest("An amount is for the mode 'payment' and goes without line_items.")
    if len(wanted.line_items) > 1 or (wanted.line_items and wanted.quantity is not None):
        raise InvalidRequest("Give one line item, or a quantity: a bot sells the route's price alone.")
    for item in wanted.line_items:
        if set(item) - {"price", "quantity"} or not isinstance(item.get("quantity", 1), int):
            raise InvalidRequest('A line item is {"price": "price_…", "quantity": 1}.')
    require_quantity(_quantity(wanted))


def _quantity(wanted: Checkout) -> int:
    if wanted.line_items:
        return int(wanted.line_items[0].get("quantity", 1))
    return 1 if wanted.quantity is None else wanted.quantity


def _decide(asked: Asked, wanted: Checkout, snapshot: Snapshot) -> Decision:
    resolution = routed(asked.bot, wanted.overrides, snapshot)
    route = resolution.route
    for item in wanted.line_items:
        require_same("price", item.get("price"), route.price_id)
    metadata = for_stripe(asked.id, resolution, wanted.metadata)
    page = {"mode": wanted.mode, "success_url": wanted.success_url, "cancel_url": wanted.cancel_url}
    item, amount_minor = _item(wanted, route)
    request = calls.open_checkout(item, route.customer_id, page, metadata)
    found = ground(resolution)
    if amount_minor is None:
        amount_minor = priced(found, _quantity(wanted))
    written = columns(found, amount_minor=amount_minor, quantity=_quantity(wanted), metadata=dict(wanted.metadata))
    return Decision(Kind.CHECKOUT, resolution, found.keys, request, written)


def _item(wanted: Checkout, route: Route) -> tuple[dict[str, Any], int | None]:
    """Return the one line of the page, and what it comes to where that is known."""
    quantity = _quantity(wanted)
    if wanted.amount is None:
        return {"price": route.price_id, "quantity": quantity}, None
    unit_amount = to_minor(wanted.amount, route.currency)
    sold = {"currency": route.currency, "product": route.product_id, "unit_amount": unit_amount}
    return {"price_data": sold, "quantity": quantity}, unit_amount * quantity
