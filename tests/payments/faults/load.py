"""Bots that bill through the client until the test ends it, each order under a key of its own."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from stripe_billing_router import Client
from stripe_billing_router.errors import BillingError
from tests.conftest import BOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REFUND = "1.00"
_SMALLEST_CHARGE = 10
_RETRY_SECONDS = 60
"""For how long a bot retries one order."""


@dataclass(frozen=True, slots=True)
class Order:
    """``response`` is the payment, or None where there was none for as long as the bot retried."""

    key: str
    response: dict[str, Any] | None


@dataclass(slots=True)
class Load:
    """A number of bots at once. ``orders`` has every order with its response when ``finish`` returns."""

    address: str
    token: str
    orders: list[Order] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _bots: list[threading.Thread] = field(default_factory=list)

    def start(self, bots: int) -> None:
        self._bots = [threading.Thread(target=self._bill, args=[number], daemon=True) for number in range(bots)]
        for bot in self._bots:
            bot.start()

    def finish(self) -> None:
        """Let every bot finish its present order."""
        self._is_over.set()
        for bot in self._bots:
            bot.join(2 * _RETRY_SECONDS)
            assert not bot.is_alive()

    def _bill(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 (not a secret)
        charged: list[str] = []
        try:
            with Client(self.address, self.token, timeout=10, wait=2) as client:
                for key in self._keys(number):
                    is_refund = charged and chance.random() < 0.15
                    request = _refund(key, charged.pop()) if is_refund else _charge(key, chance)
                    response = _send_with_retries(partial(request, client))
                    self.orders.append(Order(key, response))
                    if response and not is_refund:
                        charged.append(response["id"])
        except BaseException as failure:  # noqa: BLE001 (the test asserts that there is none)
            self.failures.append(failure)

    def _keys(self, bot: int) -> Iterator[str]:
        count = 0
        while not self._is_over.is_set():
            yield f"bot-{bot}-order-{count}"
            count += 1


def _charge(key: str, chance: random.Random) -> Callable[[Client], Any]:
    """Return a request to charge an amount, or the route's price every third time."""
    amount = None if chance.random() < 0.33 else chance.randrange(_SMALLEST_CHARGE, 20)
    return lambda client: client.charge(BOT, amount, idempotency_key=key)


def _refund(key: str, payment: str) -> Callable[[Client], Any]:
    return lambda client: client.refund(BOT, payment, _REFUND, idempotency_key=key)


def _send_with_retries(request: Callable[[], Any]) -> dict[str, Any] | None:
    """Send until there is an outcome: after a dropped connection or an open outcome, again with the same key."""
    give_up_at = time.monotonic() + _RETRY_SECONDS
    while time.monotonic() < give_up_at:
        try:
            return dict(request())
        except BillingError as error:
            if not (error.retry_with_same_key or error.money_may_have_moved):
                raise
            time.sleep(0.2)
    return None
