"""Everything that a scenario acts on: the sandbox Stripe, the ledger, senders, webhooks and recovery."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from routing.errors import BillingError
from routing.payments.settlement.recovery import settle_open
from routing.payments.webhooks import EVENT_TYPES
from routing.payments.webhooks.applying import apply_due
from tests.payments.faults import invariants
from tests.payments.faults.flows import execute
from tests.payments.threads import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import Stripe
    from tests.payments.faults.invariants import Verdict
    from tests.payments.faults.ledger_database import LedgerDatabase
    from tests.payments.faults.senders import Sender, Senders
    from tests.payments.webhooks.conftest import Webhooks

A_DAY = 25 * 3600
"""Seconds after which Stripe has forgotten an idempotency key."""

MORE_THAN_AN_HOUR = 4000

_RECOVERIES = 3
_SEARCHES = 5


@dataclass(slots=True)
class World:
    stripe: Stripe
    ledger: LedgerDatabase
    senders: Senders
    webhooks: Webhooks
    wrong_responses: list[str] = field(default_factory=list)
    """Responses to bots that said something untrue."""

    def start_sender(self, flow: str, key: str, **options: Any) -> Sender:
        """Start a process of its own that sends the request."""
        return self.senders.start(flow, key, self.stripe.control.address, self.stripe.key, **options)

    def request(self, flow: str, key: str, **fields: Any) -> str:
        """Send the request from this process; return the payment's status or the error's code."""
        try:
            return str(execute(flow, key, fields).payment.status)
        except BillingError as error:
            return error.code

    def wait_for_call(self, call: str) -> None:
        """Wait until the sandbox is executing a call, such as ``POST /v1/invoices/*/pay``."""
        until(lambda: self.count_running(call), f"The call {call}")

    def count_running(self, call: str) -> int:
        method, path = call.split()
        running = [each for each in self.stripe.control.requests(method=method) if each["status"] is None]
        return sum(fnmatchcase(each["path"], path) for each in running)

    def wait_until_stripe_is_idle(self) -> None:
        running = "The end of the calls at the sandbox"
        until(lambda: all(each["status"] is not None for each in self.stripe.control.requests()), running)

    def recover(self) -> None:
        """Let recovery look up every open payment once, leased or not, and apply the events that were received."""
        self.ledger.end_leases()
        settle_open()
        apply_due()

    def events(self) -> list[dict[str, Any]]:
        """Return Stripe's events so far, oldest first."""
        return [event for event in reversed(self.stripe.objects("events")) if event["type"] in EVENT_TYPES]

    def deliver(self, events: Iterable[dict[str, Any]]) -> None:
        """Deliver the events in their order, and apply what is due."""
        for event in events:
            self.webhooks.send(event)
        apply_due()

    def pass_time(self, seconds: int) -> None:
        self.ledger.pass_time(seconds)
        self.stripe.control.advance_clock(seconds)

    def heal(self) -> None:
        """Remove all faults, and let time pass until nothing is open that recovery can settle."""
        self.stripe.control.clear_faults()
        self.wait_until_stripe_is_idle()
        for _ in range(_RECOVERIES):
            self.recover()
        for search in range(_SEARCHES):
            if not self.ledger.rows("SELECT FROM routing_payment WHERE settled_at IS NULL"):
                return
            self.pass_time(MORE_THAN_AN_HOUR if search else A_DAY)
            self.recover()

    def check_response(self, response: dict[str, Any]) -> None:
        """Record the response if it says that no money moved, and money moved."""
        is_failure = response.get("status") in {"declined", "rejected", "canceled", "received"}
        if is_failure and (movements := invariants.movements_of(self.stripe, response["id"])):
            self.wrong_responses.append(f"The response was {response}, and Stripe has {movements}.")

    def payment(self, key: str) -> dict[str, Any]:
        [row] = self.ledger.rows("SELECT * FROM routing_payment WHERE idempotency_key = %s", key)
        return row

    def check(self) -> Verdict:
        """Check the invariants, and the responses so far."""
        verdict = invariants.check(self.stripe, self.ledger)
        return invariants.Verdict((*self.wrong_responses, *verdict.violations), verdict.left_open)
