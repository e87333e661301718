"""Charges: an amount on the route's customer, or the route's price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from routing.errors import InvalidRequest, NotAllowedByRoute
from routing.money import to_minor
from routing.payments import calls, payment_methods
from routing.payments.accounts import keys_of
from routing.payments.exactly_once import Asked, Decision, Made, make
from routing.payments.metadata import for_stripe
from routing.payments.models import Kind
from routing.registry.table import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot
    from routing.registry.table import Resolution

MOST_QUANTITY = 1_000_000
LONGEST_DESCRIPTION = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What to charge. Without an ``amount`` the route's price is charged, ``quantity`` times.

    ``amount`` is in the currency's own units: ``"19.99"``. ``price_id``, ``currency`` and ``customer_id`` may repeat
    what the route says, and are refused if they say anything else.
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
    if wanted.quantity is not None and not 0 < wanted.quantity <= MOST_QUANTITY:
        raise InvalidRequest(f"The quantity must be from 1 to {MOST_QUANTITY}.")
    if len(wanted.description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(f"The description must be at most {LONGEST_DESCRIPTION} characters.")


def _decide(asked: Asked, wanted: Charge, snapshot: Snapshot) -> Decision:
    resolution = resolve(snapshot.table, asked.bot, wanted.overrides, snapshot.now())
    route = resolution.route
    _require_same("price_id", wanted.price_id, route.price_id)
    _require_same("currency", wanted.currency and wanted.currency.lower(), route.currency)
    _require_same("customer_id", wanted.customer_id, route.customer_id)
    amount_minor = None if wanted.amount is None else to_minor(wanted.amount, route.currency)
    metadata = for_stripe(asked.id, resolution, wanted.metadata)
    keys, account_id = keys_of(resolution.domain)
    payment_method = payment_methods.default_of(resolution.domain.slug, route.customer_id, keys)
    payer = calls.Payer(route.customer_id, payment_method)
    words = calls.Words(wanted.description, metadata)
    if amount_minor is None:
        kind, request = Kind.INVOICE, calls.charge_price(route, payer, words, quantity=wanted.quantity or 1)
    else:
        kind, request = Kind.CHARGE, calls.charge_amount(route, payer, words, amount_minor=amount_minor)
    return Decision(kind, resolution, keys, request, _columns(wanted, resolution, amount_minor, account_id))


def _columns(wanted: Charge, resolution: Resolution, amount_minor: int | None, account_id: str) -> dict[str, Any]:
    return {
        "amount_minor": amount_minor,
        "currency": resolution.route.currency,
        "quantity": (wanted.quantity or 1) if amount_minor is None else None,
        "description": wanted.description,
        "metadata": dict(wanted.metadata),
        "product_id": resolution.route.product_id,
        "price_id": resolution.route.price_id,
        "customer_id": resolution.route.customer_id,
        "account_id": account_id,
    }


def _require_same(name: str, given: str | None, allowed: str) -> None:
    if given is not None and given != allowed:
        raise NotAllowedByRoute(
            f"The {name} {given!r:.100} is not what the bot's route allows: {allowed}. "
            "Leave it out, name the qualifier that leads to it, or have the route changed.",
            field=name,
        )
