"""Workers that are killed or stopped in the middle of an event."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.db import transaction

from routing import postgres
from routing.payments.ledger.models import Payment
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status
from routing.payments.webhooks.applying import apply_due
from routing.payments.webhooks.models import WebhookEvent
from tests.payments.webhooks.conftest import WAIT, make_due, pay, router_environment, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.payments.webhooks.conftest import Hooks

INTENTS = "/v1/payment_intents"
WORKER = "import django; django.setup(); from routing.payments.webhooks.applying import apply_due; apply_due()"


@contextmanager
def worker(hooks: Hooks) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of its own that applies what is due."""
    with subprocess.Popen([sys.executable, "-c", WORKER], env=router_environment(hooks)) as process:
        try:
            yield process
        finally:
            process.kill()


def is_waiting_for_a_lock() -> bool:
    """Ask on another connection: inside a transaction the view always answers as it did first."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with postgres.connection() as database:
        return database.execute(waiting).fetchone() is not None


@pytest.fixture
def unknown(delivering: Hooks) -> Payment:
    """Make a payment whose answer was lost, with one event that will settle it."""
    delivering.stripe.control.fault("reset_after", method="POST", path=INTENTS)
    payment = pay(amount="10")
    delivering.receive_all()
    WebhookEvent.objects.exclude(type="payment_intent.succeeded").delete()
    return payment


def test_a_worker_that_is_killed_between_looking_and_committing_leaves_the_event_to_be_applied_again(
    delivering, unknown
):
    with worker(delivering) as process:
        with transaction.atomic():
            Payment.objects.select_for_update().get()
            until(is_waiting_for_a_lock)
            process.send_signal(signal.SIGKILL)
            process.wait(WAIT)

        taken_while_leased = apply_due()
        left = WebhookEvent.objects.get()
        status = Payment.objects.get().status

    make_due()
    apply_due()

    assert (taken_while_leased, left.attempts, left.applied_at, status) == (0, 1, None, Status.UNKNOWN)
    assert WebhookEvent.objects.get().finding == "the payment's status was updated"
    assert Payment.objects.get().status == Status.SUCCEEDED


def test_a_worker_that_was_stopped_and_wakes_after_its_lease_changes_nothing(delivering, unknown):
    delivering.stripe.control.fault("slow_drip", method="GET", path=f"{INTENTS}/*", seconds=1)
    with worker(delivering) as process:
        until(lambda: delivering.stripe.requests("GET", f"{INTENTS}/{WebhookEvent.objects.get().object_id}"))
        process.send_signal(signal.SIGSTOP)
        make_due()
        apply_due()
        applied = WebhookEvent.objects.values().get()

        process.send_signal(signal.SIGCONT)

        assert process.wait(WAIT) == 0
    assert applied["attempts"] == 2
    assert WebhookEvent.objects.values().get() == applied
    assert [event.to_status for event in Payment.objects.get().events.all()] == ["sent", "unknown", "succeeded"]
    assert not Discrepancy.objects.exists()
