"""The embedded PostgreSQL is there when asked for, is shared, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from billing_router import embedded_postgres
from billing_router.embedded_postgres import EmbeddedPostgresError
from billing_router.postgres_home import PORT, SOCKET, home_of
from tests.billing_router.servers import (
    ROOT,
    are_gone,
    ask,
    does_answer,
    eventually,
    postmaster_of,
    servers_of,
    signal_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.billing_router.servers import Runner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc, which Linux has")


# Starting and stopping


def test_a_first_start_makes_the_database_and_ends_with_the_block(folder: Path):
    data = folder / "var" / "postgres"

    with embedded_postgres.running(data) as address:
        answer = ask(address.url, "SELECT current_user || ' ' || current_database()")
        seen_while_running = servers_of(data)

    assert answer == "postgres billing_router"
    assert seen_while_running
    assert servers_of(data) == set()


def test_the_log_has_nothing_of_a_row_that_was_refused(data: Path):
    with embedded_postgres.running(data) as address, psycopg.connect(address.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE guarded (note text CONSTRAINT note_is_allowed CHECK (note = 'allowed'))")
        with pytest.raises(psycopg.errors.CheckViolation, match="pasted-by-mistake"):
            connection.execute("INSERT INTO guarded VALUES ('pasted-by-mistake')")
        log = (data / "server.log").read_text()

    assert "note_is_allowed" in log
    assert "pasted-by-mistake" not in log


def test_what_was_written_is_there_after_a_restart(data: Path):
    with embedded_postgres.running(data) as address, psycopg.connect(address.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    with embedded_postgres.running(data) as address:
        assert ask(address.url, "SELECT answer FROM kept") == 42


def test_the_database_is_made_again_where_it_was_dropped(data: Path):
    with embedded_postgres.running(data) as address:
        neighbour = address.url.replace("/billing_router", "/postgres")
        with psycopg.connect(neighbour, autocommit=True) as connection:
            connection.execute("DROP DATABASE billing_router")

    with embedded_postgres.running(data) as address:
        assert ask(address.url, "SELECT current_database()") == "billing_router"


def test_it_listens_on_one_private_socket_alone(data: Path):
    with embedded_postgres.running(data) as address:
        listens = ask(address.url, "SELECT current_setting('listen_addresses')")
        modes = [oct(path.stat().st_mode & 0o777) for path in (data, data / SOCKET)]

    assert listens == ""
    assert modes == ["0o700", "0o700"]


def test_an_open_connection_does_not_keep_it_from_stopping(data: Path):
    with embedded_postgres.running(data) as address:
        connection = psycopg.connect(address.url)

    assert servers_of(data) == set()
    connection.close()


def test_settings_reach_the_server(data: Path):
    with embedded_postgres.running(data, settings={"fsync": "off"}) as address:
        assert ask(address.url, "SHOW fsync") == "off"


def test_the_address_is_known_before_anything_is_started(folder: Path):
    data = folder / "postgres"

    foretold = embedded_postgres.address(data)

    assert not data.exists()
    with embedded_postgres.running(data) as address:
        assert address == foretold == embedded_postgres.address(data)


# Owners that are killed


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_an_owner_that_is_terminated(
    data: Path, runner: Callable[..., Runner], ending: signal.Signals
):
    owner = runner(data)
    owner.url()
    seen = servers_of(data)

    owner.end(ending)

    assert seen
    assert eventually(lambda: are_gone(seen))


def test_another_process_takes_over_when_the_owner_is_killed(data: Path, runner: Callable[..., Runner]):
    owner = runner(data)
    owner.url()
    sharer = runner(data)
    url = sharer.url()
    first = postmaster_of(data)

    owner.end(signal.SIGKILL)

    assert eventually(lambda: does_answer(url) and postmaster_of(data) != first)
    sharer.finish()
    assert servers_of(data) == set()


def test_another_user_that_exits_does_not_stop_the_server(data: Path, runner: Callable[..., Runner]):
    owner = runner(data)
    url = owner.url()

    with embedded_postgres.running(data) as address:
        assert address.url == url

    assert does_answer(url)


def test_a_server_that_is_killed_is_restarted(data: Path, runner: Callable[..., Runner]):
    url = runner(data).url()
    first = postmaster_of(data)

    os.kill(first, signal.SIGKILL)

    assert eventually(lambda: does_answer(url) and postmaster_of(data) != first)


def test_a_forked_child_does_not_keep_the_lock_of_an_owner_that_has_ended(data: Path):
    forks_and_dies = """
import os, signal, sys, time
from pathlib import Path
from billing_router import embedded_postgres
with embedded_postgres.running(Path(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(60)
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", forks_and_dies, data], cwd=ROOT, stdout=subprocess.PIPE, check=False)

    try:
        with embedded_postgres.running(data) as address:
            assert ask(address.url, "SELECT 1") == 1
    finally:
        os.kill(int(died.stdout), signal.SIGKILL)


def test_two_that_start_at_once_share_one_server(folder: Path, runner: Callable[..., Runner]):
    data = folder / "postgres"

    both = [runner(data), runner(data)]
    urls = {one.url() for one in both}

    assert len(urls) == 1
    assert does_answer(urls.pop())
    for one in both:
        one.finish()
    assert [one.process.returncode for one in both] == [0, 0]
    assert servers_of(data) == set()


# What is lying about


def test_a_pid_file_with_the_pid_of_another_process_is_ignored(data: Path):
    # Of the server's own user: PostgreSQL itself sees that another user's process is no server of its own.
    account = home_of(data).account
    bystander = subprocess.Popen(["sleep", "60"], user=account.uid if os.geteuid() == 0 else None)
    stale = f"{bystander.pid}\n{data}/cluster\n1\n{PORT}\n{data}\n\n\nready\n"
    (data / "cluster" / "postmaster.pid").write_text(stale)
    (data / f"{SOCKET}.lock").write_text(stale)

    with embedded_postgres.running(data) as address:
        answer = ask(address.url, "SELECT 1")

    assert answer == 1
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_killed_initdb_leaves_nothing_that_is_used_as_a_cluster(folder: Path, runner: Callable[..., Runner]):
    data = folder / "postgres"
    owner = runner(data)
    assert eventually(lambda: bool(list(data.glob("cluster-partial-*/base"))))

    owner.end(signal.SIGKILL)

    assert not (data / "cluster").exists()
    with embedded_postgres.running(data) as address:
        assert ask(address.url, "SELECT 1") == 1
    assert list(data.glob("cluster-partial-*")) == []


def test_the_next_owner_waits_for_the_initdb_of_one_that_was_killed(folder: Path, runner: Callable[..., Runner]):
    data = folder / "postgres"
    owner = runner(data)
    assert eventually(lambda: bool(list(data.glob("cluster-partial-*/base"))))
    initdb = servers_of(data)
    signal_all(initdb, signal.SIGSTOP)

    owner.end(signal.SIGKILL)

    try:
        with (data / "owner.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        signal_all(initdb, signal.SIGCONT)
    with embedded_postgres.running(data) as address:
        assert ask(address.url, "SELECT 1") == 1


def test_a_cluster_that_cannot_start_is_an_error_that_quotes_the_server(data: Path):
    (data / "cluster" / "PG_VERSION").write_text("9.6\n")

    with (
        pytest.raises(EmbeddedPostgresError, match=r"(?s)did not start.*version 9\.6.*DATABASE_URL"),
        embedded_postgres.running(data),
    ):
        pass

    assert servers_of(data) == set()
