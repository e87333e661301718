"""Payments that somebody makes with the live key, around the router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stripe import PaymentIntent  # noqa: TID251 (what a bypass makes)

    from tests.conftest import Stripe


def bypass_router(stripe: Stripe, **fields: Any) -> PaymentIntent:
    """Charge the route's customer 42.00 USD; ``fields`` are added to the request, or replace its own."""
    customer = stripe.client.customers.retrieve("cus_finance_default")
    return stripe.client.payment_intents.create(
        {
            "amount": 4200,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": str(customer.invoice_settings.default_payment_method),
            "confirm": True,
            "off_session": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            **fields,
        }
    )
