"""Workers that are killed or suspended while they apply an event."""

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
from tests.payments.threads import WAIT_SECONDS, until
from tests.payments.webhooks.conftest import apply_now, router_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.payments.conftest import Pay
    from tests.payments.webhooks.conftest import Webhooks

INTENTS = "/v1/payment_intents"
WORKER = "import django; django.setup(); from routing.payments.webhooks.applying import apply_due; apply_due()"


@contextmanager
def running_worker(webhooks: Webhooks) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that applies what is due."""
    with subprocess.Popen([sys.executable, "-c", WORKER], env=router_environment(webhooks)) as process:
        try:
            yield process
        finally:
            process.kill()


def is_waiting_for_a_lock() -> bool:
    """Look on another connection: within one transaction the view never changes."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with postgres.connection() as database, database.transaction():
        database.execute("SET LOCAL ROLE NONE")  # the runtime role does not see what others wait for
        return database.execute(waiting).fetchone() is not None


@pytest.fixture
def unknown(pay: Pay, live_webhooks: Webhooks) -> Payment:
    """Make a payment whose response was lost, with one event that will settle it."""
    live_webhooks.stripe.control.fault("reset_after", method="POST", path=INTENTS)
    payment = pay(amount="10")
    live_webhooks.receive_all()
    WebhookEvent.objects.exclude(type="payment_intent.succeeded").delete()
    return payment


def test_an_event_whose_worker_was_killed_before_its_commit_is_applied_again(live_webhooks, unknown):
    with running_worker(live_webhooks) as worker:
        with transaction.atomic():
            Payment.objects.select_for_update().get()
            until(is_waiting_for_a_lock)
            worker.send_signal(signal.SIGKILL)
            worker.wait(WAIT_SECONDS)

        tried_while_leased = apply_due()
        event = WebhookEvent.objects.get()
        status = Payment.objects.get().status

    apply_now()

    assert (tried_while_leased, event.attempts, event.applied_at, status) == (0, 1, None, Status.UNKNOWN)
    assert WebhookEvent.objects.get().finding == "the payment's status was updated"
    assert Payment.objects.get().status == Status.SUCCEEDED


def test_a_worker_that_resumes_after_its_lease_changes_nothing(live_webhooks, unknown):
    live_webhooks.stripe.control.fault("slow_drip", method="GET", path=f"{INTENTS}/*", seconds=1)
    with running_worker(live_webhooks) as worker:
        until(lambda: live_webhooks.stripe.requests("GET", f"{INTENTS}/{WebhookEvent.objects.get().object_id}"))
        worker.send_signal(signal.SIGSTOP)
        apply_now()
        applied = WebhookEvent.objects.values().get()

        worker.send_signal(signal.SIGCONT)

        assert worker.wait(WAIT_SECONDS) == 0
    assert applied["attempts"] == 2
    assert WebhookEvent.objects.values().get() == applied
    assert [event.to_status for event in Payment.objects.get().events.all()] == ["sent", "unknown", "succeeded"]
    assert not Discrepancy.objects.exists()
