"""What the router does by itself, and how often.

Many workers may run, on many machines: each job runs on one of them at a time.
"""

from procrastinate.contrib.django import app

from routing.payments import recovery

KEPT_HOURS = 24 * 7
"""How long a finished job can be looked up."""


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="delete_old_jobs", pass_context=True)
async def delete_old_jobs(context: object, timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Delete the record of jobs that ended well a week ago."""
    await app.job_manager.delete_old_jobs(nb_hours=KEPT_HOURS)


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="settle_open_payments")
def settle_open_payments(timestamp: int) -> None:  # noqa: ARG001 (procrastinate's signature)
    """Look into payments whose outcome is open; each is held by one worker, so several may do this at once."""
    recovery.settle_open()
