"""PgBouncer in transaction mode in the path, with fewer connections than clients: every promise holds."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import httpx2
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, connections
from psycopg.conninfo import conninfo_to_dict

from routing import postgres
from routing.access import tokens
from routing.access.models import Scope
from routing.caps.models import Cap
from routing.registry.models import Region, Route
from stripe_billing_router import Client
from tests.billing_router.pgbouncer import CONNECTIONS, PROGRAM, running_pgbouncer
from tests.payments.faults.load import BOT
from tests.payments.faults.served import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.billing_router.pgbouncer import PgBouncer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (Debian's package pgbouncer)")

T = TypeVar("T")

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


def at_once(act: Callable[[int], T]) -> list[T]:
    """Let every thread act at the same moment, and return what came of it."""
    together = threading.Barrier(THREADS)

    def alone(number: int) -> T:
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


def test_lists_are_read_whole(through, world):
    """As the admin's forms read their choices: a cursor of the server's own would be lost between two fetches."""
    Region.objects.bulk_create(Region(slug=f"region-{number}") for number in range(50))

    counts = at_once(lambda _: len(list(Region.objects.iterator(chunk_size=10))))

    assert counts == [52] * THREADS


def test_one_charge_is_made_for_a_key_and_not_a_cent_over_the_cap(through, world):
    Cap.objects.filter(measure="gross").update(limit=5000)

    told = at_once(lambda number: world.ask("amount", f"order-{number // 2}"))

    world.heal()
    assert set(told) <= {"succeeded", "still_running", "cap_exceeded"}
    assert len(world.stripe.objects("payment_intents")) == 5
    assert world.judged().violations == ()


def test_the_defaults_of_the_database_do_not_matter_behind_it(through, world):
    """Which no session keeps there: every transaction begins with what the code needs."""
    Cap.objects.filter(measure="gross").update(limit=5000)
    odd = {"search_path": "''", "datestyle": "German", "default_transaction_isolation": "'serializable'"}
    name = connection.settings_dict["NAME"]
    for setting, value in odd.items():
        world.ledger.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}')
    connection.close()
    through.kill()
    through.start()
    try:
        told = at_once(lambda number: world.ask("amount", f"order-{number}"))
        regions = list(Region.objects.values_list("slug", flat=True))
    finally:
        for setting in odd:
            world.ledger.execute(f'ALTER DATABASE "{name}" RESET {setting}')
        connection.close()
        through.kill()
        through.start()

    world.heal()
    assert sorted(told) == ["cap_exceeded"] * (THREADS - 5) + ["succeeded"] * 5
    assert sorted(regions) == ["default", "eu"]
    assert world.judged().violations == ()


def test_a_pooler_that_is_killed_under_load_loses_nothing_and_doubles_nothing(through, world):
    kills = threading.Thread(target=kill_and_start_again, args=[through])
    kills.start()
    asked = []

    def ask_meanwhile(number: int) -> None:
        for order in count():
            asked.append(key := f"order-{number}-{order}")
            with suppress(DatabaseError):
                world.ask("amount", key)
            if not kills.is_alive():
                return

    at_once(ask_meanwhile)
    kills.join()

    world.heal()
    assert world.judged().violations == ()
    assert {world.ask("amount", key) for key in asked} == {"succeeded"}
    assert len(world.stripe.objects("payment_intents")) == len(asked)
    assert statements_struck() > 0


def kill_and_start_again(pgbouncer):
    """Do so three times, and on until it has struck a statement."""
    for times in range(1, 30):
        time.sleep(0.3)
        pgbouncer.kill()
        time.sleep(0.1)
        pgbouncer.start()
        if times >= 3 and statements_struck():
            return


def statements_struck():
    """Return how many connections of the hot pool broke while they were lent."""
    return postgres._pool(os.getpid(), postgres._parameters()).get_stats().get("returns_bad", 0)


@pytest.fixture
def served(world, pgbouncer, tmp_path):
    """Run the server and its jobs through PgBouncer; this process stays beside it."""
    with serving(pgbouncer.url, world.stripe.control.address, tmp_path / "server.log") as served:
        served.start()
        served.wait_until_ready()
        yield served


@pytest.fixture
def bot_client(served):
    with Client(served.address, tokens.issue("bot", ["*"], Scope.values), wait=30) as client:
        yield client


def test_the_server_bills_settles_and_shows_it(served, bot_client, world):
    assert bot_client.charge(BOT, 10, idempotency_key="order-1")["status"] == "succeeded"

    settled_by_the_jobs(world, bot_client, "order-2")

    Route.objects.update(price_id="price_finance_enterprise")
    at_the_new_price = bot_client.charge(BOT, idempotency_key="order-3")

    assert at_the_new_price["amount"] == "99.00"
    assert "99.00" in ledger_page(served.address)
    served.kill()
    world.heal()
    assert world.judged().violations == ()


def test_the_server_and_its_jobs_go_on_when_the_pooler_was_killed(served, bot_client, pgbouncer, world):
    settled_by_the_jobs(world, bot_client, "before")

    pgbouncer.kill()
    time.sleep(6)  # longer than the jobs wait before they ask the database again
    pgbouncer.start()

    settled_by_the_jobs(world, bot_client, "after")
    served.kill()
    world.heal()
    assert world.judged().violations == ()


def settled_by_the_jobs(world, bot_client, key):
    """Charge, and let Stripe's answer be lost, so that only the jobs can find out."""
    world.stripe.control.fault("reset_after", path=INTENTS)
    assert bot_client.charge(BOT, 11, idempotency_key=key)["status"] == "succeeded"


def ledger_page(address):
    """Return the admin's list of payments, as a member of staff sees it."""
    User.objects.create_superuser("finance", password="a long password")
    with httpx2.Client(base_url=address, follow_redirects=True) as browser:
        form = browser.get("/admin/login/")
        given = {"username": "finance", "password": "a long password", "csrfmiddlewaretoken": form.cookies["csrftoken"]}
        browser.post("/admin/login/", data=given)
        return browser.get("/admin/routing/payment/").text
