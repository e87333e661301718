"""New subscriptions of the route's customer to the route's price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from routing.payments import calls
from routing.payments.decisions import (
    columns,
    customer_of,
    ground,
    payer,
    priced,
    require_quantity,
    require_same,
    routed,
)
from routing.payments.exactly_once import Asked, Decision, Made, make
from routing.payments.metadata import for_stripe
from routing.payments.models import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What to subscribe to: the route's price, which must recur, ``quantity`` times (1 unless given)."""

    price_id: str | None = None
    quantity: int | None = None
    customer_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)


def subscribe(bot: BotId, wanted: Subscription, *, idempotency_key: str) -> Made:
    """Subscribe at most once for the bot and key. The first period is paid at once, or there is no subscription."""
    require_quantity(wanted.quantity)
    words = {
        "price_id": wanted.price_id,
        "quantity": wanted.quantity,
        "customer_id": wanted.customer_id,
        "metadata": dict(wanted.metadata),
        "overrides": dict(wanted.overrides),
    }
    asked = Asked(bot, idempotency_key, {"subscription": words})
    return make(asked, lambda snapshot: _decide(asked, wanted, snapshot))


def _decide(asked: Asked, wanted: Subscription, snapshot: Snapshot) -> Decision:
    resolution = routed(asked.bot, wanted.overrides, snapshot)
    route = resolution.route
    require_same("price_id", wanted.price_id, route.price_id)
    customer_id = customer_of(resolution, wanted.customer_id)
    words = calls.Words("", for_stripe(asked.id, resolution, wanted.metadata))
    found = ground(resolution)
    who = payer(found, customer_id)
    quantity = wanted.quantity or 1
    written = columns(
        found,
        amount_minor=priced(found, quantity),
        quantity=quantity,
        metadata=dict(wanted.metadata),
        customer_id=customer_id,
    )
    request = calls.subscribe(route, who, words, quantity=quantity)
    return Decision(Kind.SUBSCRIPTION, resolution, found.keys, request, written)
