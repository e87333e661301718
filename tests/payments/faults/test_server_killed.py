"""The server killed under load, over and over: whatever bots were told is so, and nobody is charged twice."""

from __future__ import annotations

import http.client
import os
import signal
import time
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path

import pytest

from routing.access import tokens
from routing.access.models import Scope
from routing.caps.models import Cap
from routing.payments.settlement.recovery import settle_open
from tests.payments.faults.load import Load
from tests.payments.faults.report import PLAYED
from tests.payments.faults.senders import until
from tests.payments.faults.served import serving

BOTS = 16
READY_FOR = 2.0
STARTING_FOR = 0.8
"""Seconds after which the server is killed: since it was ready, or since it was started."""

MANY_CONNECTIONS = 40
LATENCIES = {
    "/v1/payment_intents": 0.25,
    "/v1/invoices/*/pay": 0.3,
    "/v1/invoices*": 0.1,
    "/v1/invoiceitems": 0.1,
    "/v1/refunds": 0.2,
}
"""Seconds that Stripe takes for a write."""

_OPEN = "SELECT idempotency_key FROM routing_payment WHERE status = 'sent' AND lease_until > clock_timestamp()"


def killed_for(seconds, served, world):
    """Kill the server and start it again for so long, every third time while it starts; return what was open then.

    Recovery works on meanwhile, as on another machine.
    """
    struck = []
    end = time.monotonic() + seconds
    for is_ready in cycle([True, True, False]):
        served.start()
        if is_ready:
            settle_open()
            served.wait_until_ready()
        time.sleep(READY_FOR if is_ready else STARTING_FOR)
        served.kill()
        struck += [row["idempotency_key"] for row in world.ledger.rows(_OPEN)]
        world.ledger.let_leases_end()  # nobody holds anything now
        if time.monotonic() > end:
            break
    return struck


@pytest.mark.parametrize("seconds", [10, pytest.param(120, marks=pytest.mark.exhaustive)])
def test_a_server_killed_under_load_loses_no_charge_and_makes_none_twice(
    world, database_url, tmp_path, record_property, seconds
):
    Cap.objects.update(limit=1_000_000_000)
    for path, latency in LATENCIES.items():
        world.stripe.control.fault("latency", method="POST", path=path, count=None, seconds=latency)
    with serving(database_url, world.stripe.control.address, tmp_path / "server.log") as served:
        load = Load(served.address, tokens.issue("load", ["*"], Scope.values))
        load.start(BOTS)
        struck = killed_for(seconds, served, world)
        served.start()
        load.finish()

    world.heal()
    verdict = world.judged()
    record_property(PLAYED, ("server killed", len(verdict.violations), verdict.left_for_a_person))
    assert load.failures == []
    assert verdict.violations == ()
    assert [order.key for order in load.orders if order.told is None] == []
    made = {payment["idempotency_key"] for payment in world.ledger.payments() if payment["status"] == "succeeded"}
    assert {order.key for order in load.orders} == made
    assert len(struck) > seconds / 2


def test_the_jobs_are_started_again_when_they_alone_were_killed(world, database_url, tmp_path):
    with serving(database_url, world.stripe.control.address, tmp_path / "server.log") as served:
        served.start()
        served.wait_until_ready()
        [killed] = until(lambda: jobs_of(served), "The start of the jobs")

        os.kill(killed, signal.SIGKILL)

        [started] = until(lambda: jobs_of(served) - {killed}, "The new start of the jobs")
        world.stripe.control.fault("reset_after", path="/v1/payment_intents")
        assert world.ask("amount", "order-1") == "unknown"
        until(lambda: world.payment("order-1")["status"] == "succeeded", "What the jobs do")

    assert started != killed
    world.heal()
    assert world.judged().violations == ()


def test_bots_that_keep_their_connections_lock_nobody_out(world, database_url, tmp_path):
    with serving(database_url, world.stripe.control.address, tmp_path / "server.log") as served, ExitStack() as kept:
        served.start()
        served.wait_until_ready()
        address = served.address.removeprefix("http://")

        for _ in range(MANY_CONNECTIONS):
            connected = http.client.HTTPConnection(address, timeout=5)
            kept.callback(connected.close)
            connected.request("GET", "/healthz")
            assert connected.getresponse().read()


def jobs_of(served):
    return {pid for pid in served.processes() if b"procrastinate" in commandline(pid)}


def commandline(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
