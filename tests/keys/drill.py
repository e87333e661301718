"""Twenty charges a second over a real Vault and the sandbox Stripe, and what became of each."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from routing.errors import BillingError
from routing.identifiers import BotId
from routing.keys import AccountKeys, Keyring
from routing.keys.baked import BakedSource
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from tests.keys.keyrings import new_key, vault_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.conftest import Stripe
    from tests.keys.openbao import OpenBao

BOT = BotId.parse("finance:finance_router_bot")
PATH = "secret/data/stripe/stripe"
PACE_SECONDS = 0.05


class Ahead:
    """The real clock, which runs on by itself and can be put forward."""

    def __init__(self) -> None:
        self.by = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.by

    def advance(self, seconds: float) -> None:
        self.by += seconds


class TimedKeyring(Keyring):
    """Notes how long each caller was kept."""

    waits: list[float]

    def keys(self, domain: str, path: str = "") -> AccountKeys:
        started = time.monotonic()
        try:
            return super().keys(domain, path)
        finally:
            self.waits.append(time.monotonic() - started)


@dataclass
class Drill:
    """``key`` is the one in Vault, ``baked_key`` another of the same account that the deployment has baked in."""

    vault: OpenBao
    stripe: Stripe
    keyring: TimedKeyring
    clock: Ahead
    key: str
    baked_key: str
    charged: int = 0
    _numbers: count[int] = field(default_factory=count)

    @classmethod
    def begin(cls, vault: OpenBao, stripe: Stripe, **settings: str) -> Drill:
        key, baked_key, clock = new_key(), new_key(), Ahead()
        stripe.control.register_keys(stripe.account, key, baked_key)
        vault.write(PATH, secret_key=key)
        settings = vault.app_role("router") | settings
        source = vault_at(settings.pop("addr", vault.addr), clock, **settings)
        keyring = TimedKeyring(source, BakedSource({"STRIPE_SECRET_KEY": baked_key}), clock)
        keyring.waits = []
        return cls(vault, stripe, keyring, clock, key, baked_key)

    def load(self) -> None:
        """Let a process start: its first question is asked before there are charges."""
        self.keyring.load("stripe")
        self._until_answered()

    def later(self, seconds: float) -> None:
        """Let time pass, and the question that is due then be answered."""
        self.clock.advance(seconds)
        self.keyring.refresh_due()

    def later_and_answered(self, seconds: float) -> None:
        self.later(seconds)
        self._until_answered()

    def charges(self, number: int = 12, *, meanwhile: Mapping[int, Callable[[], object]] | None = None) -> Counter[str]:
        """Charge ``number`` times at the pace; return how often what came of it. ``meanwhile``: before which charge."""
        with ThreadPoolExecutor(number) as bots:
            results = []
            for place in range(number):
                (meanwhile or {}).get(place, lambda: None)()
                results.append(bots.submit(_charged, f"drill-{next(self._numbers)}"))
                time.sleep(PACE_SECONDS)
            came_of_it = Counter(result.result() for result in results)
        self.charged += came_of_it["succeeded"]
        return came_of_it

    def rotate(self) -> None:
        """Put a new key into Vault and stop the old one at Stripe, as an operator in a hurry does."""
        old, self.key = self.key, new_key()
        self.stripe.control.register_keys(self.stripe.account, self.key)
        self.vault.write(PATH, secret_key=self.key)
        self.stripe.control.register_keys(self.stripe.account, old, status="revoked")

    def assert_nobody_waited(self) -> None:
        """Vault's shortest timeout is half a second; 50 ms are allowed, and more once in twenty on a busy machine."""
        waits = sorted(self.keyring.waits)
        assert waits[len(waits) * 95 // 100] < 0.05
        assert waits[-1] < 0.4

    def assert_every_charge_is_accounted_for(self) -> None:
        """See that what was said to have succeeded is in the ledger and at Stripe, once, and nothing else."""
        written = Payment.objects.filter(status="succeeded").values_list("payment_intent_id", flat=True)
        at_stripe = [intent["id"] for intent in self.stripe.objects("payment_intents")]
        assert len(written) == self.charged
        assert sorted(written) == sorted(at_stripe)
        assert not Payment.objects.exclude(status__in=("succeeded", "received")).exists()

    def _until_answered(self) -> None:
        for account in list(self.keyring._domains.values()):
            if refresh := account.refresh:
                assert refresh.wait(10)


def _charged(key: str) -> str:
    try:
        raise_if_failed(charge(BOT, Charge(amount="1"), idempotency_key=key).payment)
    except BillingError as error:
        return f"{type(error).__name__}: {error}"
    return "succeeded"
