"""New customers, created on the account of the bot's route."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from routing.payments import calls
from routing.payments.decisions import columns, ground, routed
from routing.payments.exactly_once import Asked, Decision, Made, make
from routing.payments.metadata import for_stripe
from routing.payments.models import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    email: str = ""
    name: str = ""
    phone: str = ""
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, str]:
        return {"email": self.email, "name": self.name, "phone": self.phone, "description": self.description}


def create_customer(bot: BotId, wanted: NewCustomer, *, idempotency_key: str) -> Made:
    """Create a customer at most once for the bot and key; Stripe's object is the payment's ``result``."""
    words = {**wanted.fields(), "metadata": dict(wanted.metadata), "overrides": dict(wanted.overrides)}
    asked = Asked(bot, idempotency_key, {"customer": words})
    return make(asked, lambda snapshot: _decide(asked, wanted, snapshot))


def _decide(asked: Asked, wanted: NewCustomer, snapshot: Snapshot) -> Decision:
    resolution = routed(asked.bot, wanted.overrides, snapshot)
    metadata = for_stripe(asked.id, resolution, wanted.metadata)
    found = ground(resolution)
    written = columns(
        found, currency="", customer_id="", description=wanted.description, metadata=dict(wanted.metadata)
    )
    request = calls.create_customer(wanted.fields(), metadata=metadata)
    return Decision(Kind.CUSTOMER, resolution, found.keys, request, written)
