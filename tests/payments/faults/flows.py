"""The requests that scenarios make for a bot, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.operations.subscriptions import Subscription, subscribe
from tests.payments.conftest import BOT

if TYPE_CHECKING:
    from routing.payments.execution.exactly_once import PaymentResult

AMOUNT = "10"


def execute(flow: str, key: str, fields: dict[str, Any]) -> PaymentResult:
    """Execute the request of the flow; ``fields`` are added to its own, or replace them."""
    match flow:
        case "amount":
            return charge(BOT, Charge(**{"amount": AMOUNT, **fields}), idempotency_key=key)
        case "price" | "declined price" | "rejected price":
            return charge(BOT, Charge(**fields), idempotency_key=key)
        case "refund":
            return refund(BOT, Refund(**fields), idempotency_key=key)
        case "subscription" | "declined subscription":
            return subscribe(BOT, Subscription(overrides={"plan": "monthly"}, **fields), idempotency_key=key)
    raise ValueError(f"There is no flow {flow!r}.")
