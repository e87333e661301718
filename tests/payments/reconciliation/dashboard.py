"""How the tests pay through the router, pay around it, and change what it wrote."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection

from routing.identifiers import BotId
from routing.payments.operations.charges import Charge, charge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stripe import StripeClient  # noqa: TID251 (what a bypass uses)

    from routing.payments.ledger.models import Payment
    from tests.conftest import Stripe

FINANCE = BotId.parse("finance:finance_router_bot")


def pay(key: str = "order-1", bot: BotId = FINANCE, **wanted: Any) -> Payment:
    return charge(bot, Charge(**wanted), idempotency_key=key).payment


@contextmanager
def tampering() -> Iterator[None]:
    """Change the ledger as no part of the router can: past its triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = origin")


def lose(*payments: Payment) -> None:
    """Take payments out of the ledger, as a backup from before them does."""
    with tampering(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM routing_payment WHERE id = ANY(%s)", [[payment.pk for payment in payments]])


def dashboard(stripe: Stripe) -> StripeClient:
    """Return what somebody has who uses the key around the router."""
    from stripe import StripeClient  # noqa: TID251 (as above)

    return StripeClient(stripe.key, base_addresses={"api": stripe.control.address})


def charge_around_the_router(stripe: Stripe, **words: Any) -> Any:
    client = dashboard(stripe)
    customer = client.v1.customers.retrieve("cus_finance_default")
    return client.v1.payment_intents.create(
        {
            "amount": 4200,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": str(customer.invoice_settings.default_payment_method),
            "confirm": True,
            "off_session": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            **words,
        }
    )
