"""How the tests charge through the router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from routing.identifiers import BotId
from routing.keys import keyring
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from tests import conftest

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.ledger.models import Payment
    from routing.registry.models import Bot
    from tests.conftest import Stripe

BOT = BotId.parse(conftest.BOT)

UNKNOWN_OUTCOMES: list[tuple[str, dict[str, Any]]] = [
    ("reset_before", {}),
    ("reset_after", {}),
    ("truncate", {}),
    ("not_json", {}),
    ("status", {"status": 503}),
    ("status", {"status": 500}),
]
"""Faults of the sandbox, with their options, after which the outcome of a call is unknown."""


class Pay(Protocol):
    """Charges, with the fields of ``Charge``; without any, it charges the price of the bot's route."""

    def __call__(self, key: str = "order-1", *, bot: BotId = BOT, **fields: Any) -> Payment: ...


@pytest.fixture
def pay(bot: Bot, stripe: Stripe) -> Pay:
    """Return the payment in the state that it reached, failed or not."""

    def charge_bot(key: str = "order-1", *, bot: BotId = BOT, **fields: Any) -> Payment:
        return charge(bot, Charge(**fields), idempotency_key=key).payment

    return charge_bot


@pytest.fixture
def pay_or_raise(pay: Pay) -> Pay:
    """Raise the error of a payment that failed, as the API does."""

    def charge_or_raise(key: str = "order-1", *, bot: BotId = BOT, **fields: Any) -> Payment:
        payment = pay(key, bot=bot, **fields)
        raise_if_failed(payment)
        return payment

    return charge_or_raise


@pytest.fixture
def keys(bot: Bot, stripe: Stripe) -> AccountKeys:
    """Return the keys with which the bot's charges are sent."""
    return keyring().keys("stripe")
