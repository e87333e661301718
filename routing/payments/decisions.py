"""What the decisions of all use cases share: route, keys, payer, and the columns that say so in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from routing.errors import InvalidRequest, NotAllowedByRoute
from routing.payments import payment_methods, prices
from routing.payments.accounts import keys_of
from routing.payments.calls import Payer
from routing.payments.models import Kind, Payment
from routing.payments.states import Status
from routing.registry.table import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.identifiers import BotId
    from routing.keys import AccountKeys
    from routing.registry.snapshot import Snapshot
    from routing.registry.table import Resolution

MOST_QUANTITY = 1_000_000
LONGEST_DESCRIPTION = 500


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision stands on."""

    resolution: Resolution
    keys: AccountKeys
    account_id: str


def routed(bot: BotId, overrides: Mapping[str, str], snapshot: Snapshot) -> Resolution:
    return resolve(snapshot.table, bot, overrides, snapshot.now())


def ground(resolution: Resolution) -> Ground:
    """Find the domain's keys. Stripe may be asked whose they are, so what can be refused without that comes before."""
    return Ground(resolution, *keys_of(resolution.domain))


def customer_of(resolution: Resolution, customer_id: str | None) -> str:
    """Return who pays: the route's customer, or one that the same bot created."""
    usual = resolution.route.customer_id
    if customer_id in (None, usual) or _created_by(resolution.bot, str(customer_id)):
        return customer_id or usual
    raise NotAllowedByRoute(
        f"The customer {customer_id!r:.100} is neither the route's ({usual}) nor one that this bot created.",
        field="customer_id",
    )


def payer(found: Ground, customer_id: str) -> Payer:
    return Payer(customer_id, payment_methods.default_of(found.resolution.domain.slug, customer_id, found.keys))


def priced(found: Ground, quantity: int) -> int | None:
    """Return what so many of the route's price come to, in minor units; None where that is not known beforehand."""
    each = prices.unit_amount(found.resolution.domain.slug, found.resolution.route.price_id, found.keys)
    return None if each is None else each * quantity


def require_same(name: str, given: str | None, allowed: str) -> None:
    """Refuse what the caller names otherwise than the route."""
    if given is not None and given != allowed:
        raise NotAllowedByRoute(
            f"The {name} {given!r:.100} is not what the bot's route allows: {allowed}. "
            "Leave it out, name the qualifier that leads to it, or have the route changed.",
            field=name,
        )


def require_quantity(quantity: int | None) -> None:
    if quantity is not None and not 0 < quantity <= MOST_QUANTITY:
        raise InvalidRequest(f"The quantity must be from 1 to {MOST_QUANTITY}.")


def require_short(description: str) -> None:
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(f"The description must be at most {LONGEST_DESCRIPTION} characters.")


def columns(found: Ground, **known: Any) -> dict[str, Any]:
    """Return the ledger's columns for what was decided, those that ``known`` does not name being empty."""
    route = found.resolution.route
    return {
        "amount_minor": None,
        "currency": route.currency,
        "quantity": None,
        "description": "",
        "metadata": {},
        "product_id": route.product_id,
        "price_id": route.price_id,
        "customer_id": route.customer_id,
        "account_id": found.account_id,
        "refund_of_id": None,
        **known,
    }


def _created_by(bot: BotId, customer_id: str) -> bool:
    created = Payment.objects.filter(bot=str(bot), kind=Kind.CUSTOMER, status=Status.SUCCEEDED, object_id=customer_id)
    return created.exists()
