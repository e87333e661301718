"""The bot's Stripe account as the tests change it: who pays, what is sold, and what the customer's bank decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from routing.registry.models import Route

if TYPE_CHECKING:
    from sandbox.control import Card
    from tests.conftest import Stripe

MONTHLY = "price_monthly"


def use_card(stripe: Stripe, card: Card) -> None:
    """Have the bot's routes charge a customer who pays with the test card."""
    stripe.control.seed_customer(stripe.account, f"cus_{card}", card=card)
    Route.objects.update(customer_id=f"cus_{card}")


def use_monthly_price(stripe: Stripe) -> None:
    """Have the bot's routes sell a subscription of 15.00 USD a month."""
    seed_monthly_price(stripe)
    Route.objects.update(price_id=MONTHLY, currency="usd")


def seed_monthly_price(stripe: Stripe) -> None:
    stripe.control.seed_price(
        stripe.account, MONTHLY, product="prod_finance_router", unit_amount=1500, interval="month"
    )


def settle_at_bank(stripe: Stripe, outcome: Literal["succeeded", "failed"]) -> None:
    """Let the bank decide on the account's only payment intent."""
    [intent] = stripe.objects("payment_intents")
    stripe.control.settle_payment(stripe.account, intent["id"], outcome)
