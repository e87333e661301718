"""Bots that bill through the client until they are told to stop, each order under a key of its own."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stripe_billing_router import Client
from stripe_billing_router.errors import BillingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOT = "finance:finance_router_bot"

_REFUND = "1.00"
_SMALLEST_CHARGE = 10
_PATIENCE = 60
"""Seconds that a bot goes on asking for one order."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a bot asked for, and what it was told: the object that was made, or nothing within its patience."""

    key: str
    told: dict[str, Any] | None


@dataclass(slots=True)
class Load:
    """A number of bots at once. What they were told is in ``orders`` when ``finish`` returns."""

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
        """Let every bot end the order that it is at."""
        self._is_over.set()
        for bot in self._bots:
            bot.join(2 * _PATIENCE)
            assert not bot.is_alive()

    def _bill(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 (not a secret)
        charged: list[str] = []
        try:
            with Client(self.address, self.token, timeout=10, wait=2) as client:
                for key in self._keys(number):
                    is_refund = charged and chance.random() < 0.15
                    order = _refund(key, charged.pop()) if is_refund else _charge(key, chance)
                    told = _told(lambda order=order: order(client))  # type: ignore[misc]  # bound to this round's
                    self.orders.append(Order(key, told))
                    if told and not is_refund:
                        charged.append(told["id"])
        except BaseException as failure:  # noqa: BLE001 (for the test to raise, on its own thread)
            self.failures.append(failure)

    def _keys(self, bot: int) -> Iterator[str]:
        count = 0
        while not self._is_over.is_set():
            yield f"bot-{bot}-order-{count}"
            count += 1


def _charge(key: str, chance: random.Random) -> Callable[[Client], Any]:
    """Return an order of an amount, or of the route's price every third time."""
    amount = None if chance.random() < 0.33 else chance.randrange(_SMALLEST_CHARGE, 20)
    return lambda client: client.charge(BOT, amount, idempotency_key=key)


def _refund(key: str, payment: str) -> Callable[[Client], Any]:
    return lambda client: client.refund(BOT, payment, _REFUND, idempotency_key=key)


def _told(ask: Callable[[], Any]) -> dict[str, Any] | None:
    """Ask until there is an answer: a dropped connection or an open outcome is asked again with the same key."""
    give_up_at = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up_at:
        try:
            return dict(ask())
        except BillingError as error:
            if not (error.retry_with_same_key or error.money_may_have_moved):
                raise
            time.sleep(0.2)
    return None
