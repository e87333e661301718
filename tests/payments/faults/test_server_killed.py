"""The server killed under load, again and again: every response to a bot was true, and nobody is charged twice."""

from __future__ import annotations

import http.client
import os
import signal
import time
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path

import pytest

from routing.caps.models import Cap
from routing.payments.settlement.recovery import settle_open
from tests.bot_tokens import token_for_everything
from tests.payments.faults.load import Load
from tests.payments.faults.report import PROPERTY
from tests.payments.faults.served import serving
from tests.payments.threads import until

BOTS = 16
SECONDS_READY = 2.0
SECONDS_STARTING = 0.8
"""The server is killed so long after it was ready, or after it was started."""

MANY_CONNECTIONS = 40
LATENCIES = {
    "/v1/payment_intents": 0.25,
    "/v1/invoices/*/pay": 0.3,
    "/v1/invoices*": 0.1,
    "/v1/invoiceitems": 0.1,
    "/v1/refunds": 0.2,
}
"""By path: seconds that Stripe takes for a write."""

_IN_FLIGHT = "SELECT idempotency_key FROM routing_payment WHERE status = 'sent' AND lease_until > clock_timestamp()"


def kill_for(seconds, served, world):
    """Kill and restart the server for so long, every third time while it starts; return the keys in flight then.

    Recovery runs meanwhile, as on another machine.
    """
    in_flight = []
    end = time.monotonic() + seconds
    for is_ready in cycle([True, True, False]):
        served.start()
        if is_ready:
            settle_open()
            served.wait_until_ready()
        time.sleep(SECONDS_READY if is_ready else SECONDS_STARTING)
        served.kill()
        in_flight += [row["idempotency_key"] for row in world.ledger.rows(_IN_FLIGHT)]
        world.ledger.end_leases()  # their senders are dead
        if time.monotonic() > end:
            break
    return in_flight


@pytest.mark.parametrize("seconds", [10, pytest.param(120, marks=pytest.mark.exhaustive)])
def test_a_server_killed_under_load_loses_no_charge_and_makes_none_twice(
    world, database_url, tmp_path, record_property, seconds
):
    Cap.objects.update(limit=1_000_000_000)
    for path, latency in LATENCIES.items():
        world.stripe.control.fault("latency", method="POST", path=path, count=None, seconds=latency)
    with serving(database_url, world.stripe.control.address, tmp_path / "server.log") as served:
        load = Load(served.address, token_for_everything())
        load.start(BOTS)
        in_flight = kill_for(seconds, served, world)
        served.start()
        load.finish()

    world.heal()
    verdict = world.check()
    record_property(PROPERTY, ("server killed", len(verdict.violations), verdict.left_open))
    assert load.failures == []
    assert verdict.violations == ()
    assert [order.key for order in load.orders if order.response is None] == []
    succeeded = {payment["idempotency_key"] for payment in world.ledger.payments() if payment["status"] == "succeeded"}
    assert {order.key for order in load.orders} == succeeded
    assert len(in_flight) > seconds / 2


def test_the_jobs_are_restarted_when_they_alone_were_killed(world, database_url, tmp_path):
    with serving(database_url, world.stripe.control.address, tmp_path / "server.log") as served:
        served.start()
        served.wait_until_ready()
        [killed] = until(lambda: jobs_of(served), "The start of the jobs")

        os.kill(killed, signal.SIGKILL)

        [restarted] = until(lambda: jobs_of(served) - {killed}, "The restart of the jobs")
        world.stripe.control.fault("reset_after", path="/v1/payment_intents")
        assert world.request("amount", "order-1") == "unknown"
        until(lambda: world.payment("order-1")["status"] == "succeeded", "Recovery by the jobs")

    assert restarted != killed
    world.heal()
    assert world.check().violations == ()


def test_bots_that_keep_their_connections_open_lock_nobody_out(world, database_url, tmp_path):
    with serving(database_url, world.stripe.control.address, tmp_path / "server.log") as served, ExitStack() as opened:
        served.start()
        served.wait_until_ready()
        address = served.address.removeprefix("http://")

        for _ in range(MANY_CONNECTIONS):
            connection = http.client.HTTPConnection(address, timeout=5)
            opened.callback(connection.close)
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()


def jobs_of(served):
    """Return the pids of the processes that run the server's jobs."""
    return {pid for pid in served.processes() if b"procrastinate" in command_line(pid)}


def command_line(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
