"""PostgreSQL killed under load, and at the COMMIT of a reservation or a settlement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from billing_router import embedded_postgres
from tests.billing_router.servers import does_answer, postmaster_of
from tests.payments.faults.ledger_database import LedgerDatabase
from tests.payments.faults.playing import KEY, LOCK_BEFORE_RESERVE, RESERVE, SETTLE
from tests.payments.faults.senders import running_senders
from tests.payments.faults.world import World
from tests.payments.threads import until

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[3]
_REGISTRY = (
    "routing_registryhead",
    "routing_domain",
    "routing_region",
    "routing_category",
    "routing_bot",
    "routing_route",
    "routing_override",
    "routing_cap",
)
INTENTS = "/v1/payment_intents"
MANY = 16


class OwnServer(World):
    """A world with a PostgreSQL of its own, which may be killed; requests and recovery run in other processes."""

    data: Path

    def request(self, flow: str, key: str, **fields: object) -> str:
        response = self.start_sender(flow, key, fields=fields).response()
        return str(response.get("status") or response["error"])

    def recover(self) -> None:
        self.ledger.end_leases()
        self.start_sender("recover", "").response()

    def kill_postgres(self) -> None:
        """Kill the server, and wait until it is restarted."""
        killed = postmaster_of(self.data)
        os.kill(killed, signal.SIGKILL)
        until(lambda: postmaster_of(self.data) not in {0, killed}, "The restart of PostgreSQL")
        until(lambda: does_answer(self.ledger.url), "A connection to PostgreSQL")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, str]]:
    """Run a server with synchronous commits, and create the tables."""
    with tempfile.TemporaryDirectory(prefix="killed-postgres-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder).resolve() / "postgres"
        with embedded_postgres.running(data, settings={"fsync": "off", "full_page_writes": "off"}) as address:
            environment = {**os.environ, "DATABASE_URL": address.url}
            migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            subprocess.run(migrate, cwd=_ROOT, env=environment, check=True, timeout=100)
            yield data, address.url


@pytest.fixture
def own(world: World, server: tuple[Path, str], tmp_path: Path) -> Iterator[OwnServer]:
    data, url = server
    ledger = LedgerDatabase(url)
    ledger.restore(world.ledger.dump(_REGISTRY))
    ledger.restore(world.ledger.dump())
    with running_senders(url, tmp_path) as senders:
        own = OwnServer(world.stripe, ledger, senders, world.webhooks)
        own.data = data
        yield own


def does_a_commit_wait(url: str) -> bool:
    """Try a commit: a backend reloads its settings when it executes the next statement."""
    with psycopg.connect(url, autocommit=True) as probe, psycopg.connect(url, autocommit=True) as other:
        commit = threading.Thread(target=probe.execute, args=["SELECT pg_logical_emit_message(true, 'probe', '')"])
        commit.start()
        commit.join(0.3)
        waits = commit.is_alive()
        other.execute("SELECT pg_cancel_backend(%s)", [probe.info.backend_pid])
        commit.join()
        return waits


@contextmanager
def commits_waiting(own: OwnServer) -> Iterator[None]:
    """Until the block ends, let every COMMIT be written and then wait for a standby that does not exist."""
    own.ledger.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    own.ledger.execute("SELECT pg_reload_conf()")
    until(lambda: does_a_commit_wait(own.ledger.url), "The reload of the server's settings")
    try:
        yield
    finally:
        own.ledger.execute("ALTER SYSTEM RESET synchronous_standby_names")
        own.ledger.execute("SELECT pg_reload_conf()")


def test_postgres_killed_under_load_loses_no_charge_and_makes_none_twice(own):
    own.stripe.control.fault("latency", path=INTENTS, seconds=0.3, count=MANY // 2)
    senders = [own.start_sender("amount", f"order-{number}") for number in range(MANY)]
    own.wait_for_call(f"POST {INTENTS}")

    own.kill_postgres()

    for sender in senders:
        sender.response()
    own.heal()
    for number in range(MANY):
        assert own.request("amount", f"order-{number}") == "succeeded"
    assert len(own.stripe.objects("payment_intents")) == MANY
    assert own.check().violations == ()


def test_postgres_killed_before_the_reservation_is_committed_charges_nothing(own):
    with suppress(psycopg.OperationalError), own.ledger.locked(LOCK_BEFORE_RESERVE):
        sender = own.start_sender("amount", KEY)
        own.ledger.wait_for_statement(RESERVE)
        own.kill_postgres()

    response = sender.response()

    assert (response["error"], response["money_may_have_moved"]) == ("database_unavailable", False)
    assert own.stripe.objects("payment_intents") == own.ledger.payments() == []
    assert own.request("amount", KEY) == "succeeded"
    assert own.check().violations == ()


@pytest.mark.parametrize("statement", [RESERVE, SETTLE], ids=["reservation", "settlement"])
def test_a_statement_is_repeated_when_postgres_was_killed_at_its_commit(own, statement):
    stop = "before settling" if statement == SETTLE else ""
    sender = own.start_sender("amount", KEY, stop=stop)
    if stop:
        sender.wait_until_stopped()
    with commits_waiting(own):
        sender.resume()
        own.ledger.wait_for_statement(statement, waits_for="IPC")
        own.kill_postgres()

    assert sender.response()["status"] == "succeeded"
    assert own.check().violations == ()
    assert len(own.stripe.objects("payment_intents")) == 1
