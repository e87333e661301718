"""PgBouncer in transaction mode in the path, with fewer connections than clients: every promise holds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection, connections
from psycopg.conninfo import conninfo_to_dict

from routing import postgres
from routing.access.caps import Cap
from tests.billing_router.pgbouncer import CONNECTIONS, PROGRAM, running_pgbouncer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.billing_router.pgbouncer import PgBouncer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (Debian's package pgbouncer)")

THREADS = 16
INTENTS = "/v1/payment_intents"


@pytest.fixture
def pgbouncer(database_url: str) -> Iterator[PgBouncer]:
    with running_pgbouncer(database_url) as pgbouncer:
        yield pgbouncer


@pytest.fixture
def through(world, pgbouncer, monkeypatch):
    """Let this process reach its database through PgBouncer, both by Django's connections and by the hot pool."""
    given = conninfo_to_dict(pgbouncer.url)

    def let_go():
        connection.close()
        connection.close_pool()
        postgres.close_connections()

    let_go()
    with monkeypatch.context() as patch:
        for name in ("host", "port"):
            patch.setitem(connections.settings["default"], name.upper(), str(given[name]))
        yield pgbouncer
        let_go()


def at_once(act: Callable[[int], str]) -> list[str]:
    """Let every thread act at the same moment, and return what came of it."""
    together = threading.Barrier(THREADS)

    def alone(number: int) -> str:
        together.wait()
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(alone, range(THREADS)))


def test_the_connections_to_the_server_are_fewer_than_the_clients(through, world):
    def server_process(_: int) -> str:
        with postgres.connection() as database:
            return str(database.execute("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)").fetchone()["pid"])

    assert 1 <= len(set(at_once(server_process))) <= CONNECTIONS


def test_one_charge_is_made_for_a_key_and_not_a_cent_over_the_cap(through, world):
    Cap.objects.filter(measure="gross").update(limit=5000)

    told = at_once(lambda number: world.ask("amount", f"order-{number // 2}"))

    world.heal()
    assert set(told) <= {"succeeded", "still_running", "cap_exceeded"}
    assert len(world.stripe.objects("payment_intents")) == 5
    assert world.judged().violations == ()


def test_a_pooler_that_is_killed_under_load_loses_nothing_and_doubles_nothing(through, world):
    world.stripe.control.fault("latency", method="POST", path=INTENTS, count=None, seconds=0.2)
    give_up_at = time.monotonic() + 20

    def ask_until_told(number: int) -> str:
        while time.monotonic() < give_up_at:
            try:
                for order in range(4):
                    told = world.ask("amount", f"order-{number}-{order}")
                if told == "succeeded":
                    return told
            except DatabaseError:
                time.sleep(0.1)  # as the server's own error 500 would be answered
        return "nothing"

    kills = threading.Thread(target=kill_and_start_again, args=[through])
    kills.start()
    at_once(ask_until_told)
    kills.join()

    world.heal()
    assert world.judged().violations == ()


def kill_and_start_again(pgbouncer):
    for _ in range(3):
        time.sleep(0.3)
        pgbouncer.kill()
        time.sleep(0.2)
        pgbouncer.start()
