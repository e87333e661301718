"""PgBouncer in transaction mode between the router and its database, with fewer connections than clients."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import httpx2
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, connections
from psycopg.conninfo import conninfo_to_dict

from routing import postgres
from routing.caps.models import Cap
from routing.registry.models import Region, Route
from stripe_billing_router import Client
from tests.billing_router.pgbouncer import CONNECTIONS, PROGRAM, running_pgbouncer
from tests.bot_tokens import token_for_everything
from tests.conftest import BOT
from tests.payments.faults.served import serving
from tests.payments.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.billing_router.pgbouncer import PgBouncer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (Debian's package pgbouncer)")

THREADS = 16
INTENTS = "/v1/payment_intents"


@pytest.fixture
def pgbouncer(administrator_url: str) -> Iterator[PgBouncer]:
    with running_pgbouncer(administrator_url) as pgbouncer:
        yield pgbouncer


@pytest.fixture
def pooled(world, pgbouncer, monkeypatch):
    """Connect this process to its database through PgBouncer, both Django's connections and the hot statements'."""
    address = conninfo_to_dict(pgbouncer.url)

    def disconnect():
        connection.close()
        connection.close_pool()
        postgres.close_connections()

    disconnect()
    with monkeypatch.context() as patch:
        for name in ("host", "port"):
            patch.setitem(connections.settings["default"], name.upper(), str(address[name]))
        patch.setitem(connections.settings["default"], "OPTIONS", {})  # it takes none when a connection begins
        yield pgbouncer
        disconnect()


def test_the_connections_to_the_server_are_fewer_than_the_clients(pooled, world):
    def backend_pid(_: int) -> str:
        with postgres.connection() as database:
            return str(database.execute("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)").fetchone()["pid"])

    assert 1 <= len(set(at_once(backend_pid, range(THREADS)))) <= CONNECTIONS


def test_lists_are_read_whole(pooled, world):
    """As the admin's forms read their choices: a server-side cursor would be lost between two fetches."""
    Region.objects.bulk_create(Region(slug=f"region-{number}") for number in range(50))

    counts = at_once(lambda _: len(list(Region.objects.iterator(chunk_size=10))), range(THREADS))

    assert counts == [52] * THREADS


def test_one_charge_is_made_for_a_key_and_none_over_the_cap(pooled, world):
    Cap.objects.filter(measure="gross").update(limit=5000)

    responses = at_once(lambda number: world.request("amount", f"order-{number // 2}"), range(THREADS))

    world.heal()
    assert set(responses) <= {"succeeded", "still_running", "cap_exceeded"}
    assert len(world.stripe.objects("payment_intents")) == 5
    assert world.check().violations == ()


def test_the_defaults_of_the_database_do_not_matter_behind_it(pooled, world):
    """Which no session keeps there: every transaction begins with what the code needs."""
    Cap.objects.filter(measure="gross").update(limit=5000)
    odd = {"search_path": "''", "datestyle": "German", "default_transaction_isolation": "'serializable'"}
    name = connection.settings_dict["NAME"]
    for setting, value in odd.items():
        world.ledger.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}')
    connection.close()
    pooled.kill()
    pooled.start()
    try:
        responses = at_once(lambda number: world.request("amount", f"order-{number}"), range(THREADS))
        regions = list(Region.objects.values_list("slug", flat=True))
    finally:
        for setting in odd:
            world.ledger.execute(f'ALTER DATABASE "{name}" RESET {setting}')
        connection.close()
        pooled.kill()
        pooled.start()

    world.heal()
    assert sorted(responses) == ["cap_exceeded"] * (THREADS - 5) + ["succeeded"] * 5
    assert sorted(regions) == ["default", "eu"]
    assert world.check().violations == ()


def test_a_pooler_that_is_killed_under_load_loses_no_charge_and_makes_none_twice(pooled, world):
    kills = threading.Thread(target=kill_and_restart, args=[pooled])
    kills.start()
    keys = []

    def charge_meanwhile(number: int) -> None:
        for order in count():
            keys.append(key := f"order-{number}-{order}")
            with suppress(DatabaseError):
                world.request("amount", key)
            if not kills.is_alive():
                return

    at_once(charge_meanwhile, range(THREADS))
    kills.join()

    world.heal()
    assert world.check().violations == ()
    assert {world.request("amount", key) for key in keys} == {"succeeded"}
    assert len(world.stripe.objects("payment_intents")) == len(keys)
    assert broken_connections() > 0


def kill_and_restart(pgbouncer):
    """Do so three times, and on until it has broken a connection."""
    for times in range(1, 30):
        time.sleep(0.3)
        pgbouncer.kill()
        time.sleep(0.1)
        pgbouncer.start()
        if times >= 3 and broken_connections():
            return


def broken_connections():
    """Return how many connections of the hot statements' pool broke while they were used."""
    return postgres._pool(os.getpid(), postgres._parameters()).get_stats().get("returns_bad", 0)


@pytest.fixture
def served(world, pgbouncer, tmp_path):
    """Run the server and its jobs through PgBouncer; this process connects without it."""
    with serving(pgbouncer.url, world.stripe.control.address, tmp_path / "server.log") as served:
        served.start()
        served.wait_until_ready()
        yield served


@pytest.fixture
def bot_client(served):
    with Client(served.address, token_for_everything(), wait=30) as client:
        yield client


def test_the_server_charges_settles_and_lists_payments(served, bot_client, world):
    assert bot_client.charge(BOT, 10, idempotency_key="order-1")["status"] == "succeeded"

    charge_and_let_the_jobs_settle(world, bot_client, "order-2")

    Route.objects.update(price_id="price_finance_enterprise")
    at_the_new_price = bot_client.charge(BOT, idempotency_key="order-3")

    assert at_the_new_price["amount"] == "99.00"
    assert "99.00" in ledger_page(served.address)
    served.kill()
    world.heal()
    assert world.check().violations == ()


def test_the_server_and_its_jobs_recover_when_the_pooler_was_killed(served, bot_client, pgbouncer, world):
    charge_and_let_the_jobs_settle(world, bot_client, "before")

    pgbouncer.kill()
    time.sleep(6)  # longer than the jobs wait between two polls of the database
    pgbouncer.start()

    charge_and_let_the_jobs_settle(world, bot_client, "after")
    served.kill()
    world.heal()
    assert world.check().violations == ()


def charge_and_let_the_jobs_settle(world, bot_client, key):
    """Charge, with Stripe's response lost, so that only the jobs can find the outcome."""
    world.stripe.control.fault("reset_after", path=INTENTS)
    assert bot_client.charge(BOT, 11, idempotency_key=key)["status"] == "succeeded"


def ledger_page(address):
    """Return the admin's list of payments."""
    User.objects.create_superuser("finance", password="a long password")
    with httpx2.Client(base_url=address, follow_redirects=True) as browser:
        form = browser.get("/admin/login/")
        login = {"username": "finance", "password": "a long password", "csrfmiddlewaretoken": form.cookies["csrftoken"]}
        browser.post("/admin/login/", data=login)
        return browser.get("/admin/routing/payment/").text
