"""One charge, as a bot makes it, and what the ledger and the sandbox Stripe say of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from demo.output import say, show
from stripe_billing_router import BillingError, Client

if TYPE_CHECKING:
    from sandbox.control import Control
    from stripe_billing_router import Payment
    from stripe_billing_router.schemas import RouteFields

BOT = "finance:finance_router_bot"
_AMOUNT = "10.00"
_MINOR_UNITS = 1000


def charge_once(address: str, token: str, stripe: Control) -> bool:
    """Charge, and say whether the ledger and Stripe agree about it."""
    say(f'charge("{BOT}", amount={_AMOUNT})')
    try:
        with Client(address, token) as router:
            payment = router.charge(BOT, amount=_AMOUNT)
            route = router.resolve(BOT)["route"]
    except BillingError as error:  # somebody paused it or capped it in an earlier demo, whose registry is kept
        say(f"The charge was refused. {error}")
        return False
    show("The ledger's row", payment)
    intents = _intents_of(payment, stripe)
    for intent in intents:
        shown = ("id", "amount", "currency", "customer", "status", "metadata")
        show("The sandbox Stripe's own list", {name: intent[name] for name in shown})
    is_right = payment["status"] == "succeeded" and len(intents) == 1 and _is_as_decided(intents[0], route)
    say("Both agree: one charge, with the route's amount, currency and customer." if is_right else "They do NOT agree.")
    return is_right


def _intents_of(payment: Payment, stripe: Control) -> list[dict[str, Any]]:
    listed = stripe.objects(os.environ["STRIPE_SECRET_KEY"], "payment_intents")
    return [intent for intent in listed if intent["metadata"].get("payment_id") == payment["id"]]


def _is_as_decided(intent: dict[str, Any], route: RouteFields) -> bool:
    decided = {
        "amount": _MINOR_UNITS,
        "currency": route["currency"],
        "customer": route["customer_id"],
        "status": "succeeded",
    }
    return intent.items() >= decided.items()
