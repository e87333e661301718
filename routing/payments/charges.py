"""Charges: an amount on the route's customer, or the route's price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from routing.errors import InvalidRequest
from routing.money import to_minor
from routing.payments import calls
from routing.payments.decisions import (
    columns,
    customer_of,
    ground,
    payer,
    priced,
    require_quantity,
    require_same,
    require_short,
    routed,
)
from routing.payments.exactly_once import Asked, Decision, Made, make
from routing.payments.metadata import for_stripe
from routing.payments.models import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What to charge. Without an ``amount`` the route's price is charged, ``quantity`` times.

    ``amount`` is in the currency's own units: ``"19.99"``. ``price_id`` and ``currency`` may repeat what the route
    says, and are refused if they say anything else; ``customer_id`` may also name a customer that the bot created.
    """

    amount: str | int | Decimal | None = None
    quantity: int | None = None
    price_id: str | None = None
    currency: str | None = None
    customer_id: str | None = None
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> dict[str, Any]:
        """Return what tells this charge from another."""
        return {
            "amount": None if self.amount is None else str(self.amount),
            "quantity": self.quantity,
            "price_id": self.price_id,
            "currency": self.currency,
            "customer_id": self.customer_id,
            "description": self.description,
            "metadata": dict(self.metadata),
            "overrides": dict(self.overrides),
        }


def charge(bot: BotId, wanted: Charge, *, idempotency_key: str) -> Made:
    """Charge at most once for the bot and key; return the payment in the state that it reached.

    Raises a ``BillingError`` where nothing was sent. A decline is a payment too: see ``documents.raise_if_failed``.
    """
    _check(wanted)
    asked = Asked(bot, idempotency_key, {"charge": wanted.words()})
    return make(asked, lambda snapshot: _decide(asked, wanted, snapshot))


def _check(wanted: Charge) -> None:
    if wanted.amount is not None and wanted.quantity is not None:
        raise InvalidRequest("Give an amount, or a quantity of the route's price, not both.")
    require_quantity(wanted.quantity)
    require_short(wanted.description)


def _decide(asked: Asked, wanted: Charge, snapshot: Snapshot) -> Decision:
    resolution = routed(asked.bot, wanted.overrides, snapshot)
    route = resolution.route
    require_same("price_id", wanted.price_id, route.price_id)
    require_same("currency", wanted.currency and wanted.currency.lower(), route.currency)
    customer_id = customer_of(resolution, wanted.customer_id)
    amount_minor = None if wanted.amount is None else to_minor(wanted.amount, route.currency)
    words = calls.Words(wanted.description, for_stripe(asked.id, resolution, wanted.metadata))
    found = ground(resolution)
    who = payer(found, customer_id)
    quantity = None
    if amount_minor is None:
        quantity = wanted.quantity or 1
        amount_minor = priced(found, quantity)
        kind, request = Kind.INVOICE, calls.charge_price(route, who, words, quantity=quantity, most_due=amount_minor)
    else:
        kind, request = Kind.CHARGE, calls.charge_amount(route, who, words, amount_minor=amount_minor)
    written = columns(
        found,
        amount_minor=amount_minor,
        quantity=quantity,
        description=wanted.description,
        metadata=dict(wanted.metadata),
        customer_id=customer_id,
    )
    return Decision(kind, resolution, found.keys, request, written)
