"""States of the database in which nothing can be charged: each is a retryable 503, and over without a restart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from django.db import connection, connections
from django.test import Client
from psycopg.conninfo import conninfo_to_dict

from billing_router import embedded_postgres
from routing import postgres, readiness
from routing.payments.ledger.models import Payment
from routing.postgres import pools
from tests.billing_router.servers import eventually
from tests.payments.faults.served import serving
from tests.postgres.conftest import BOT, forget_connections

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[2]

_RAISE = """
CREATE FUNCTION raised() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'as the server raises it' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER raised BEFORE INSERT ON routing_payment EXECUTE FUNCTION raised();
"""
_RAISE_NO_MORE = "DROP TRIGGER raised ON routing_payment; DROP FUNCTION raised();"

REFUSALS = {
    "25006": "read-only",
    "40001": "changed the same rows",
    "40P01": "changed the same rows",
    "53000": "out of resources",
    "53100": "disk",
    "53200": "out of memory",
    "53300": "no more connections",
    "53400": "out of resources",
    "55P03": "a lock",
    "57014": "too long",
    "57P01": "shutting down",
    "57P02": "shutting down",
    "57P03": "shutting down",
    "58030": "files",
}


def assert_unavailable(response, about: str) -> None:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (503, "database_unavailable"), problem
    assert (problem["money_may_have_moved"], problem["retry_with_same_key"]) == (False, True)
    assert about in problem["detail"]


def database_in_readyz() -> str | None:
    response = Client().get("/readyz")
    return response.json().get("database") if response.status_code == 503 else None


@pytest.fixture
def remembered(monkeypatch):
    """Let a state that only writes show be forgotten at once when the test is over."""
    yield
    monkeypatch.setattr(postgres, "_last_failure", None)


@pytest.mark.parametrize("sqlstate", REFUSALS)
def test_a_payment_that_the_database_refuses_for_its_state_is_not_charged(caller, stripe, dba, remembered, sqlstate):
    dba.execute(_RAISE.format(sqlstate))
    try:
        refused = caller.charge()
    finally:
        dba.execute(_RAISE_NO_MORE)

    assert_unavailable(refused, REFUSALS[sqlstate])
    assert stripe.requests("POST") == []
    assert not Payment.objects.exists()
    assert caller.charge().status_code == 201


def test_an_error_that_a_retry_does_not_help_is_no_state_of_the_database(caller, stripe, dba):
    dba.execute(_RAISE.format("22012"))
    try:
        assert caller.charge().json()["code"] == "internal_error"
    finally:
        dba.execute(_RAISE_NO_MORE)


@pytest.mark.parametrize(
    ("sqlstate", "name"), [("53100", "disk_full"), ("53200", "out_of_memory"), ("58030", "io_error")]
)
def test_what_only_a_write_shows_is_reported_for_a_while(caller, stripe, dba, remembered, monkeypatch, sqlstate, name):
    dba.execute(_RAISE.format(sqlstate))
    try:
        caller.charge()
    finally:
        dba.execute(_RAISE_NO_MORE)

    assert database_in_readyz() == name
    monkeypatch.setattr(readiness, "_REMEMBERED_SECONDS", 0)
    assert database_in_readyz() is None


def test_a_read_only_database_serves_reads_and_is_well_again_without_a_restart(caller, stripe, database_defaults):
    with database_defaults(default_transaction_read_only="on"):
        assert_unavailable(caller.charge(), "read-only")
        assert_unavailable(caller.send("PUT", "/routes", ROUTE), "read-only")
        assert caller.send("GET", "/charges").status_code == 200
        assert database_in_readyz() == "read_only"
        assert stripe.requests("POST") == []

    assert eventually(lambda: caller.charge().status_code == 201)
    assert eventually(lambda: caller.send("PUT", "/routes", ROUTE).status_code == 200)
    assert eventually(lambda: database_in_readyz() is None)


ROUTE = {
    "business_category": "finance",
    "bot_name": "finance_router_bot",
    "route": {"product_id": "prod_a", "price_id": "price_a", "customer_id": "cus_a", "currency": "usd"},
}


def test_a_page_of_the_admin_says_that_the_database_cannot_be_written(database_defaults, admin_user):
    with database_defaults(default_transaction_read_only="on"):
        response = Client(raise_request_exception=False).post(
            "/admin/login/", {"username": "admin", "password": "password"}
        )
        forget_connections()

    assert response.status_code == 503


@contextmanager
def connected_as(**settings: str) -> Iterator[None]:
    """Let every connection of this process be one with other settings, from now on."""
    given = connections.settings["default"]
    before = {name: given[name] for name in settings}
    forget_connections()
    given.update(settings)
    try:
        yield
    finally:
        forget_connections()
        given.update(before)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(postgres, "_WAIT_SECONDS", 0.5)


@pytest.fixture
def limited(dba) -> Iterator[str]:
    """Give a role that may have no connection, though it may do all that the tests' own may."""
    dba.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 0 IN ROLE billing_runtime")
    yield "limited"
    dba.execute("DROP ROLE limited")


def test_a_role_without_a_connection_left_is_well_again_once_it_has_one(caller, stripe, dba, limited, impatient):
    with connected_as(USER=limited):
        assert_unavailable(caller.charge(), "no more connections")
        assert database_in_readyz() == "too_many_connections"

        dba.execute("ALTER ROLE limited CONNECTION LIMIT 10")

        assert eventually(lambda: caller.charge().status_code == 201)
        assert database_in_readyz() is None


_END_THE_SESSION = """
CREATE FUNCTION raised() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
CREATE TRIGGER raised BEFORE INSERT ON routing_payment EXECUTE FUNCTION raised();
"""


def test_a_payment_whose_reservation_cannot_be_looked_up_may_move_money(caller, stripe, dba, limited, impatient):
    dba.execute("ALTER ROLE limited CONNECTION LIMIT 1")
    with connected_as(USER=limited):
        assert caller.send("POST", "/routes/resolve", {"bot": BOT}).status_code == 200
        dba.execute("ALTER ROLE limited CONNECTION LIMIT 0")
        dba.execute(_END_THE_SESSION)
        try:
            lost = caller.charge().json()
        finally:
            dba.execute(_RAISE_NO_MORE)
            dba.execute("ALTER ROLE limited CONNECTION LIMIT 10")

        assert (lost["status"], lost["code"], lost["money_may_have_moved"]) == (503, "database_unavailable", True)
        assert lost["retry_with_same_key"]
        assert eventually(lambda: caller.charge().status_code == 201)
    assert len(stripe.requests("POST", "/v1/payment_intents")) == 1


@pytest.mark.parametrize(("timeout", "about"), [("lock_timeout", "a lock"), ("statement_timeout", "too long")])
def test_a_payment_waits_only_so_long_for_a_lock(caller, stripe, monkeypatch, dba, timeout, about):
    monkeypatch.setitem(postgres._TIMEOUTS, timeout, "200ms")
    forget_connections()

    with dba.transaction():
        dba.execute("LOCK TABLE routing_payment IN EXCLUSIVE MODE")
        refused = caller.charge()

    assert_unavailable(refused, about)
    assert database_in_readyz() is None
    assert caller.charge().status_code == 201
    forget_connections()


def test_a_pool_that_is_used_up_says_so(caller, stripe, impatient, monkeypatch):
    monkeypatch.setattr(pools, "MAX_CONNECTIONS", 1)
    forget_connections()

    with postgres.connection():
        refused = caller.charge()

    assert_unavailable(refused, "in use")
    assert caller.charge().status_code == 201
    forget_connections()


def test_threads_that_begin_together_share_one_pool(transactional_db):
    forget_connections()
    together = threading.Barrier(8)
    found = []

    def take():
        together.wait()
        with postgres.connection() as database:
            found.append(database._pool)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1


def test_a_connection_that_the_server_has_ended_is_never_lent(dba, transactional_db):
    with postgres.connection() as database:
        pid = database.info.backend_pid
    dba.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with postgres.connection() as database:
        assert database.execute("SELECT 1 AS one").fetchone() == {"one": 1}
        assert database.info.backend_pid != pid


# A server of its own, stopped and started


@pytest.fixture
def own_data() -> Iterator[Path]:
    """Give a data directory with the router's tables."""
    with tempfile.TemporaryDirectory(prefix="states-postgres-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder).resolve() / "postgres"
        with running(data) as url:
            migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            subprocess.run(migrate, cwd=_ROOT, env={**os.environ, "DATABASE_URL": url}, check=True, timeout=100)
        yield data


@contextmanager
def running(data: Path) -> Iterator[str]:
    with embedded_postgres.running(data, settings={"fsync": "off"}) as address:
        yield address.url


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    given = conninfo_to_dict(url)
    with connected_as(
        HOST=str(given["host"]), PORT=str(given["port"]), NAME="billing_router", USER=str(given["user"]), OPTIONS={}
    ):
        yield


def test_a_server_that_is_stopped_started_and_then_a_standby(transactional_db, own_data, impatient):
    with running(own_data) as url, connected_to(url):
        assert database_in_readyz() is None
    with connected_to(url):
        assert database_in_readyz() == "unreachable"
        with running(own_data):
            assert eventually(lambda: database_in_readyz() is None)
        standby_signal = own_data / "cluster" / "standby.signal"
        standby_signal.touch()
        with running(own_data):
            assert eventually(lambda: database_in_readyz() == "read_only")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), postgres.connection() as database:
                database.execute("DELETE FROM routing_payment")
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute("SELECT pg_promote()")
            assert eventually(lambda: database_in_readyz() is None)
    connection.close()


def test_a_probe_of_the_server_never_waits_for_the_database(own_data, tmp_path):
    with ExitStack() as database:
        url = database.enter_context(running(own_data))
        with serving(url, "http://127.0.0.1:9", tmp_path / "server.log", "--without-jobs") as served:
            served.start()
            served.wait_until_ready()

            database.close()

            assert eventually(lambda: asked(served, "/readyz") == (503, "unreachable"))
            assert asked(served, "/healthz") == (200, None)
            with running(own_data):
                assert eventually(lambda: asked(served, "/readyz") == (200, None))


def asked(served, path) -> tuple[int, str | None]:
    """Return the status and the database's state as a probe is told them, within a second."""
    try:
        with urllib.request.urlopen(f"{served.address}{path}", timeout=1) as response:  # noqa: S310 (loopback)
            return response.status, None
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)["database"]
