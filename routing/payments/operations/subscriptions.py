"""New subscriptions of the route's customer to the route's price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from routing.payments.execution.exactly_once import PaymentResult, execute
from routing.payments.execution.plans import Operation, PaymentPlan, PaymentRequest, require_quantity, resolve_route
from routing.payments.kinds import Kind
from routing.payments.stripe_api import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription(Operation):
    """What to subscribe to: the route's price, which must recur, ``quantity`` times (1 unless given)."""

    operation: ClassVar[str] = "subscription"

    price_id: str | None = None
    quantity: int | None = None
    customer_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_quantity(self.quantity)

    def plan(self, request: PaymentRequest, snapshot: Snapshot) -> PaymentPlan:
        call = resolve_route(request, self.overrides, snapshot)
        call.require_same("price_id", self.price_id, call.route.price_id)
        customer_id = call.select_customer(self.customer_id)
        metadata = call.stripe_metadata(self.metadata)
        payer = call.fetch_payer(customer_id)
        quantity = self.quantity or 1
        quote = call.quote_price(quantity, is_recurring=True)
        return call.plan(
            Kind.SUBSCRIPTION,
            requests.subscribe(call.route, payer, metadata, quantity=quantity, max_amount_due=quote),
            amount_minor=quote,
            quantity=quantity,
            customer_id=customer_id,
            metadata=dict(self.metadata),
        )


def subscribe(bot: BotId, wanted: Subscription, *, idempotency_key: str, token_prefix: str = "") -> PaymentResult:
    """Subscribe at most once for the bot and key. The first period is paid at once, or there is no subscription."""
    return execute(PaymentRequest(bot, idempotency_key, wanted, token_prefix))
