"""The worker that runs beside the server applies events."""

from __future__ import annotations

import subprocess
import sys

from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.payments.webhooks.models import WebhookEvent
from tests.payments.threads import WAIT_SECONDS, until
from tests.payments.webhooks.conftest import router_environment

INTENTS = "/v1/payment_intents"


def test_the_worker_settles_a_payment_by_its_event_within_seconds(pay, live_webhooks):
    live_webhooks.stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")
    live_webhooks.receive_all()
    command = [sys.executable, "manage.py", "procrastinate", "worker"]

    with subprocess.Popen(command, env=router_environment(live_webhooks)) as worker:
        try:
            until(lambda: not WebhookEvent.objects.filter(applied_at=None).exists())
        finally:
            worker.terminate()
            worker.wait(WAIT_SECONDS)

    assert Payment.objects.get().status == Status.SUCCEEDED
