"""What the router does by itself goes on when a worker was killed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from routing import jobs


@pytest.fixture(autouse=True)
def no_jobs(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
        cursor.execute("DELETE FROM procrastinate_workers")


def test_a_job_whose_worker_was_killed_does_not_hold_up_the_next_one():
    left = jobs.reconcile_payments.defer(timestamp=1)
    fetched = fetch()
    waiting = jobs.reconcile_payments.defer(timestamp=2)
    held_up = fetch()
    forget_workers()

    end_stalled_jobs(3)

    assert (fetched.id, held_up) == (left, None)
    assert fetch().id == waiting
    assert not ProcrastinateJob.objects.filter(id=left).exists()


def test_a_job_that_is_running_is_not_ended():
    running = jobs.reconcile_payments.defer(timestamp=1)
    fetch()

    end_stalled_jobs(2)

    assert ProcrastinateJob.objects.get(id=running).status == "doing"


def test_a_starting_server_has_the_payments_compared_once_however_many_start():
    jobs.reconcile_payments_now()
    jobs.reconcile_payments_now()

    assert [job.task_name for job in ProcrastinateJob.objects.all()] == ["routing.jobs.reconcile_payments"]


def test_a_run_is_skipped_while_the_previous_one_is_in_progress():
    at_it, is_over, turns = threading.Event(), threading.Event(), []

    @jobs.once_at_a_time
    def job(timestamp):
        turns.append(timestamp)
        at_it.set()
        is_over.wait(10)

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(job, 1)
        at_it.wait(10)
        job(2)
        is_over.set()
        first.result()
    job(3)

    assert turns == [1, 3]


def end_stalled_jobs(at):
    async_to_sync(jobs.end_stalled_jobs.func)(None, at)


def fetch():
    """Take the next job as a new worker does."""
    worker = async_to_sync(app.job_manager.register_worker)()
    return async_to_sync(app.job_manager.fetch_job)(None, worker_id=worker)


def forget_workers():
    """Do as workers do with those of whom nothing was heard for long."""
    async_to_sync(app.job_manager.prune_stalled_workers)(seconds_since_heartbeat=-1)
