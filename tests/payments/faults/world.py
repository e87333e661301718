"""Everything that a scenario happens in: the sandbox Stripe, the ledger, bots that ask, and recovery."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from routing.errors import BillingError
from routing.payments.settlement.recovery import settle_open
from routing.payments.webhooks import EVENT_TYPES
from routing.payments.webhooks.applying import apply_due
from routing.registry.models import Route
from tests.payments.faults import invariants
from tests.payments.faults.flows import ask
from tests.payments.faults.senders import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.control import Card
    from tests.conftest import Stripe
    from tests.payments.faults.invariants import Verdict
    from tests.payments.faults.ledger_database import LedgerDatabase
    from tests.payments.faults.senders import Sender, Senders
    from tests.payments.webhooks.conftest import Hooks

A_DAY = 25 * 3600
"""Seconds after which Stripe has forgotten an idempotency key."""

MORE_THAN_AN_HOUR = 4000

_ROUNDS = 3
_SEARCHES = 5


@dataclass(slots=True)
class World:
    stripe: Stripe
    ledger: LedgerDatabase
    senders: Senders
    hooks: Hooks
    lies: list[str] = field(default_factory=list)
    """What bots were told that was not so."""

    def send(self, flow: str, key: str, **more: Any) -> Sender:
        """Let a process of its own ask."""
        return self.senders.start(flow, key, self.stripe.control.address, self.stripe.key, **more)

    def ask(self, flow: str, key: str, **words: Any) -> str:
        """Ask in this process, as a bot that comes again; return the payment's status or the error's code."""
        try:
            return str(ask(flow, key, words).payment.status)
        except BillingError as error:
            return error.code

    def use_card(self, card: Card) -> None:
        """Let the bot's route charge a customer who pays with that test card."""
        self.stripe.control.seed_customer(self.stripe.account, f"cus_{card}", card=card)
        Route.objects.filter(region__slug="default").update(customer_id=f"cus_{card}")

    def wait_for_call(self, call: str) -> None:
        """Wait until a call, such as ``POST /v1/invoices/*/pay``, is at the sandbox and not answered yet."""
        until(lambda: self.running_calls(call), f"The call {call}")

    def running_calls(self, call: str) -> int:
        method, path = call.split()
        running = [each for each in self.stripe.control.requests(method=method) if each["status"] is None]
        return sum(fnmatchcase(each["path"], path) for each in running)

    def wait_until_stripe_is_idle(self) -> None:
        running = "The end of the calls that run at the sandbox"
        until(lambda: all(each["status"] is not None for each in self.stripe.control.requests()), running)

    def recover(self) -> None:
        """Let recovery look once into everything that is open, whoever holds it, and apply what Stripe has told."""
        self.ledger.let_leases_end()
        settle_open()
        apply_due()

    def happened(self) -> list[dict[str, Any]]:
        """Return what Stripe has to tell so far, oldest first."""
        return [event for event in reversed(self.stripe.objects("events")) if event["type"] in EVENT_TYPES]

    def tell(self, events: Iterable[dict[str, Any]]) -> None:
        """Let Stripe send these events, in their order, and apply what is due."""
        for event in events:
            self.hooks.send(event)
        apply_due()

    def pass_time(self, seconds: int) -> None:
        self.ledger.pass_time(seconds)
        self.stripe.control.advance_clock(seconds)

    def heal(self) -> None:
        """Let everything work again, and time pass until nothing is open that recovery can settle."""
        self.stripe.control.clear_faults()
        self.wait_until_stripe_is_idle()
        for _ in range(_ROUNDS):
            self.recover()
        for round_ in range(_SEARCHES):
            if not self.ledger.rows("SELECT FROM routing_payment WHERE settled_at IS NULL"):
                return
            self.pass_time(MORE_THAN_AN_HOUR if round_ else A_DAY)
            self.recover()

    def check_told(self, told: dict[str, Any]) -> None:
        """Keep it if the bot was told that no money moved, and money moved."""
        failed = told.get("status") in {"declined", "rejected", "canceled", "received"}
        if failed and (moved := invariants.moved_for(self.stripe, told["id"])):
            self.lies.append(f"The bot was told {told}, and {moved} is at Stripe.")

    def payment(self, key: str) -> dict[str, Any]:
        [found] = self.ledger.rows("SELECT * FROM routing_payment WHERE idempotency_key = %s", key)
        return found

    def judged(self) -> Verdict:
        verdict = invariants.judged(self.stripe, self.ledger)
        return invariants.Verdict((*self.lies, *verdict.violations), verdict.left_for_a_person)
