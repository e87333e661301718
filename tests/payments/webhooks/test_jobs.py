"""The worker that runs beside the server applies and fetches by itself."""

from __future__ import annotations

import subprocess
import sys

from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.payments.webhooks.models import WebhookEvent
from tests.payments.webhooks.conftest import WAIT, pay, router_environment, until

INTENTS = "/v1/payment_intents"


def test_a_worker_settles_what_stripe_has_told_within_seconds(delivering):
    delivering.stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")
    delivering.receive_all()
    command = [sys.executable, "manage.py", "procrastinate", "worker"]

    with subprocess.Popen(command, env=router_environment(delivering)) as worker:
        try:
            until(lambda: not WebhookEvent.objects.filter(applied_at=None).exists())
        finally:
            worker.terminate()
            worker.wait(WAIT)

    assert Payment.objects.get().status == Status.SUCCEEDED
