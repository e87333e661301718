"""What the tests request for the bot beside charges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.refunds import Refund, refund
from tests.payments.conftest import BOT

if TYPE_CHECKING:
    from routing.identifiers import BotId
    from routing.payments.ledger.models import Payment
    from sandbox.control import Card
    from tests.conftest import Stripe


def refund_payment(payment: Payment | str, key: str = "refund-1", *, bot: BotId = BOT, **fields: Any) -> Payment:
    """Refund the payment, named by itself or by an id."""
    payment_id = payment if isinstance(payment, str) else str(payment.id)
    return refund(bot, Refund(payment=payment_id, **fields), idempotency_key=key).payment


def open_session(key: str = "session-1", **fields: Any) -> Payment:
    checkout = Checkout(**{"success_url": "https://example.com/thanks"} | fields)
    return open_checkout(BOT, checkout, idempotency_key=key).payment


def open_and_pay_session(stripe: Stripe, card: Card = "visa", key: str = "session-1", **fields: Any) -> Payment:
    """Open a checkout session, and let the customer pay it."""
    session = open_session(key, **fields)
    stripe.control.complete_checkout(stripe.account, session.object_id, card=card)
    return session
