"""Charges: an amount on the route's customer, or the route's price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from routing.errors import InvalidRequest
from routing.money import to_minor
from routing.payments.execution.exactly_once import DryRun, PaymentResult, dry_run, execute
from routing.payments.execution.plans import (
    Operation,
    PaymentPlan,
    PaymentRequest,
    require_quantity,
    require_short,
    resolve_route,
)
from routing.payments.kinds import Kind
from routing.payments.stripe_api import requests
from routing.payments.stripe_api.requests import Annotations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge(Operation):
    """What to charge. Without an ``amount`` the route's price is charged, ``quantity`` times.

    ``amount`` is in the currency's own units: ``"19.99"``. ``price_id`` and ``currency`` may repeat what the route
    says, and are refused if they say anything else; ``customer_id`` may also name a customer that the bot created.
    """

    operation: ClassVar[str] = "charge"

    amount: str | int | Decimal | None = None
    quantity: int | None = None
    price_id: str | None = None
    currency: str | None = None
    customer_id: str | None = None
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.amount is not None and self.quantity is not None:
            raise InvalidRequest("Give an amount, or a quantity of the route's price, not both.")
        require_quantity(self.quantity)
        require_short(self.description)

    def plan(self, request: PaymentRequest, snapshot: Snapshot) -> PaymentPlan:
        call = resolve_route(request, self.overrides, snapshot)
        call.require_same("price_id", self.price_id, call.route.price_id)
        call.require_same("currency", self.currency and self.currency.lower(), call.route.currency)
        customer_id = call.select_customer(self.customer_id)
        annotations = Annotations(self.description, call.stripe_metadata(self.metadata))
        columns = {"customer_id": customer_id, "description": self.description, "metadata": dict(self.metadata)}
        if self.amount is not None:
            amount_minor = to_minor(self.amount, call.route.currency)
            payer = call.fetch_payer(customer_id)
            frozen = requests.charge_amount(call.route, payer, annotations, amount_minor=amount_minor)
            return call.plan(Kind.CHARGE, frozen, amount_minor=amount_minor, **columns)
        quantity = self.quantity or 1
        payer, quote = call.fetch_payer(customer_id), call.quote_price(quantity, is_recurring=False)
        frozen = requests.charge_price(call.route, payer, annotations, quantity=quantity, max_amount_due=quote)
        return call.plan(Kind.INVOICE, frozen, amount_minor=quote, quantity=quantity, **columns)


def charge(bot: BotId, wanted: Charge, *, idempotency_key: str, token_prefix: str = "") -> PaymentResult:
    """Charge at most once for the bot and key; return the payment in the state that it reached.

    Raises a ``BillingError`` where nothing was sent. A decline is a payment too: see
    ``representation.raise_if_failed``.
    """
    return execute(PaymentRequest(bot, idempotency_key, wanted, token_prefix))


def dry_run_charge(bot: BotId, wanted: Charge, *, idempotency_key: str, token_prefix: str = "") -> DryRun:
    """Decide the charge by the present rules, keys, prices and caps, and send nothing; raise what would stop it."""
    return dry_run(PaymentRequest(bot, idempotency_key, wanted, token_prefix))
