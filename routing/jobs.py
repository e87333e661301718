"""What the router does by itself, and how often.

Many workers may run, on many machines: each job runs on one of them at a time.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps

from django.db import transaction
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Status

from routing.audit import seals
from routing.caps.models import delete_old_usages
from routing.payments.operations import requested_refunds
from routing.payments.operations.cancellations import cancel_all
from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.settlement import recovery
from routing.payments.stripe_api import key_watch
from routing.payments.webhooks import applying, backfill

KEPT_HOURS = 24 * 7
"""How long a finished job can be looked up."""

logger = logging.getLogger(__name__)

_Job = Callable[[int], None]


def once_at_a_time(act: _Job) -> _Job:
    """Leave a job's turn out while this process is at the last one, which could take up its worker's every place."""
    running = threading.Lock()

    @wraps(act)
    def alone(timestamp: int) -> None:
        if running.acquire(blocking=False):
            try:
                act(timestamp)
            finally:
                running.release()

    return alone


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="delete_old_jobs", pass_context=True)
async def delete_old_jobs(context: object, timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Delete the record of jobs that ended well a week ago."""
    await app.job_manager.delete_old_jobs(nb_hours=KEPT_HOURS)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="end_stalled_jobs", pass_context=True)
async def end_stalled_jobs(context: object, timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """End the jobs whose worker was killed: the lock of one would hold up for ever what comes after it."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        logger.warning("The job %s was left by a worker that is gone; its next turn goes on.", job.task_name)


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="settle_open_payments")
@once_at_a_time
def settle_open_payments(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Look up payments whose outcome is open; each is leased by one worker, so several may do this at once."""
    recovery.settle_open_together()


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="apply_webhook_events")
@once_at_a_time
def apply_webhook_events(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Apply the events that were received; each is claimed by one worker, so several may do this at once."""
    applying.apply_due()


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="make_requested_refunds")
@once_at_a_time
def make_requested_refunds(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Make the refunds that people have requested; each is made once, however many do this at once."""
    requested_refunds.make_requested()


@app.periodic(cron="*/3 * * * *")
@app.task(queueing_lock="backfill_webhook_events")
@once_at_a_time
def backfill_webhook_events(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Fetch the events that were not received."""
    backfill.backfill()


@app.periodic(cron="37 3 * * *")
@app.task(queueing_lock="delete_old_webhook_events")
def delete_old_webhook_events(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Delete the record of events that were applied long ago."""
    applying.delete_old()


@app.periodic(cron="39 3 * * *")
@app.task(queueing_lock="delete_old_cap_usages")
def delete_old_cap_usages(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Delete what caps by the hour and minute have seen long ago."""
    delete_old_usages()


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="seal_audit_log")
def seal_audit_log(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Seal what was written to the audit log in the last minute, and log it."""
    seals.seal()


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="watch_keys", lock="watch_keys")
def watch_keys(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Write down which domain's key is refused, and since when."""
    key_watch.watch_all()


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="reconcile_payments", lock="reconcile_payments")
def reconcile_payments(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Compare what was paid since the last run with Stripe, both ways."""
    reconcile(Side.PAYMENTS)


@app.task(retry=RetryStrategy(max_attempts=40, linear_wait=30))
def cancel_subscriptions(bot: str) -> None:
    """Cancel a bot's subscriptions, again until Stripe has canceled each."""
    cancel_all(bot)


def cancel_subscriptions_of(bot: str) -> None:
    """Have a worker cancel the bot's subscriptions, once the transaction that asks for it has committed."""
    transaction.on_commit(partial(cancel_subscriptions.configure().defer, bot=bot))


def reconcile_payments_now() -> None:
    """Have a worker compare the payments at once: after a day without, no charge is made until they are."""
    with suppress(AlreadyEnqueued):
        reconcile_payments.configure().defer(timestamp=int(time.time()))


@app.periodic(cron="41 3 * * *")
@app.task(queueing_lock="reconcile_balance", lock="reconcile_balance")
def reconcile_balance(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Compare every movement of money since the last run with the ledger."""
    reconcile(Side.BALANCE)
