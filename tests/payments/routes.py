"""Other customers and prices for the bot's routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
