"""PostgreSQL killed under load, and at the very COMMIT of a reservation or a settlement."""

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
from tests.payments.faults.playing import HOLD_T1, KEY, T1, T3
from tests.payments.faults.senders import running_senders, until
from tests.payments.faults.world import World

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
    """A world whose ledger lies on a server of its own, which may be killed; what asks and recovers runs elsewhere."""

    data: Path

    def ask(self, flow: str, key: str, **words: object) -> str:
        told = self.send(flow, key, words=words).answer()
        return str(told.get("status") or told["error"])

    def recover(self) -> None:
        self.ledger.let_leases_end()
        self.send("recover", "").answer()

    def kill_postgres(self) -> None:
        """Kill the server, and wait for the one that its keeper starts."""
        killed = postmaster_of(self.data)
        os.kill(killed, signal.SIGKILL)
        until(lambda: postmaster_of(self.data) not in {0, killed}, "The server's new start")
        until(lambda: does_answer(self.ledger.url), "The server's answer")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, str]]:
    """Run a server whose commits are lasting, with the tables made."""
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
    ledger.restore(world.ledger.copied(_REGISTRY))
    ledger.restore(world.ledger.copied())
    with running_senders(url, tmp_path) as senders:
        own = OwnServer(world.stripe, ledger, senders, world.hooks)
        own.data = data
        yield own


def a_commit_waits(url: str) -> bool:
    """Try a commit of its own: the server's processes read their settings anew when they come to it."""
    with psycopg.connect(url, autocommit=True) as probe, psycopg.connect(url, autocommit=True) as other:
        commit = threading.Thread(target=probe.execute, args=["SELECT pg_logical_emit_message(true, 'probe', '')"])
        commit.start()
        commit.join(0.3)
        waits = commit.is_alive()
        other.execute("SELECT pg_cancel_backend(%s)", [probe.info.backend_pid])
        commit.join()
        return waits


@contextmanager
def commits_unanswered(own: OwnServer) -> Iterator[None]:
    """Let every COMMIT be written and then wait, for a standby that there is none of, until the block ends."""
    own.ledger.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    own.ledger.execute("SELECT pg_reload_conf()")
    until(lambda: a_commit_waits(own.ledger.url), "The server's reading of its new settings")
    try:
        yield
    finally:
        own.ledger.execute("ALTER SYSTEM RESET synchronous_standby_names")
        own.ledger.execute("SELECT pg_reload_conf()")


def test_postgres_killed_under_load_loses_no_charge_and_makes_none_twice(own):
    own.stripe.control.fault("latency", path=INTENTS, seconds=0.3, count=MANY // 2)
    senders = [own.send("amount", f"order-{number}") for number in range(MANY)]
    own.wait_for_call(f"POST {INTENTS}")

    own.kill_postgres()

    for sender in senders:
        sender.answer()
    own.heal()
    for number in range(MANY):
        assert own.ask("amount", f"order-{number}") == "succeeded"
    assert len(own.stripe.objects("payment_intents")) == MANY
    assert own.judged().violations == ()


def test_postgres_killed_before_the_reservation_is_committed_charges_nothing(own):
    with suppress(psycopg.OperationalError), own.ledger.held(HOLD_T1):
        sender = own.send("amount", KEY)
        own.ledger.wait_for_statement(T1)
        own.kill_postgres()

    told = sender.answer()

    assert (told["error"], told["money_may_have_moved"]) == ("database_unavailable", False)
    assert own.stripe.objects("payment_intents") == own.ledger.payments() == []
    assert own.ask("amount", KEY) == "succeeded"
    assert own.judged().violations == ()


@pytest.mark.parametrize("statement", [T1, T3], ids=["reservation", "settlement"])
def test_postgres_killed_at_the_commit_of_a_statement_is_asked_again(own, statement):
    stop = "before settling" if statement == T3 else ""
    sender = own.send("amount", KEY, stop=stop)
    if stop:
        sender.wait_until_it_stops()
    with commits_unanswered(own):
        sender.wake()
        own.ledger.wait_for_statement(statement, waits_for="IPC")
        own.kill_postgres()

    assert sender.answer()["status"] == "succeeded"
    assert own.judged().violations == ()
    assert len(own.stripe.objects("payment_intents")) == 1
