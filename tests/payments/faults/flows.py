"""What a bot asks for in a scenario, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.identifiers import BotId
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.refunds import Refund, refund
from routing.payments.operations.subscriptions import Subscription, subscribe

if TYPE_CHECKING:
    from routing.payments.execution.exactly_once import PaymentResult

BOT = BotId.parse("finance:finance_router_bot")
AMOUNT = "10"


def ask(flow: str, key: str, words: dict[str, Any]) -> PaymentResult:
    """Ask for it; ``words`` are those of the use case beside what the flow itself says."""
    match flow:
        case "amount":
            return charge(BOT, Charge(**{"amount": AMOUNT, **words}), idempotency_key=key)
        case "price" | "declined price" | "rejected price":
            return charge(BOT, Charge(**words), idempotency_key=key)
        case "refund":
            return refund(BOT, Refund(**words), idempotency_key=key)
        case "subscription" | "declined subscription":
            return subscribe(BOT, Subscription(overrides={"plan": "monthly"}, **words), idempotency_key=key)
    raise ValueError(f"There is no flow {flow!r}.")
