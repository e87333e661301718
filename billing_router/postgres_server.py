"""One PostgreSQL server process: its cluster made, started, known again, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psycopg
from psycopg import sql

from billing_router.postgres_home import PORT, SOCKET, EmbeddedPostgresError
from billing_router.postgres_programs import Programs, find_programs, made_reachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing_router.postgres_home import Home

ROLE = "postgres"
DATABASE = "billing_router"

START_SECONDS = 60
"""A first start makes the cluster too: a few seconds, many more on a machine that is busy."""

_STOP_SECONDS = 10
_LAST_LINES = 8
_BUILTIN_LOCALE_SINCE = 17
_SETTINGS = {
    "listen_addresses": "",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}


def start(home: Home, settings: Mapping[str, str], lock: IO[str]) -> subprocess.Popen[str]:
    """Return a server that answers and holds the database. The caller holds ``lock``, the home's owner lock."""
    programs = made_reachable(find_programs(), home)
    if not home.cluster.exists():
        _make_cluster(home, programs, lock)
    _end_orphan(home)
    in_quotes = os.fspath(home.sockets).replace('"', '""')
    asked = {**_SETTINGS, "unix_socket_directories": f'"{in_quotes}"', **settings}
    options = [f"--{name}={value}" for name, value in asked.items()]
    with os.fdopen(home.open("server.log"), "r+") as log:
        log.truncate()
        server = programs.launch(home, "postgres", "-D", os.fspath(home.cluster), "-p", PORT, *options, output=log)
        try:
            _make_database(home, server)
        except Exception as error:
            stop(server)
            log.seek(0)
            raise _failure(home, "did not start", log.read()) from error
    return server


def stop(server: subprocess.Popen[str]) -> None:
    """Stop at once and in order: SIGINT ends open sessions, where SIGTERM would wait for every pooled connection."""
    for ending in (signal.SIGINT, signal.SIGQUIT):
        server.send_signal(ending)
        with suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_SECONDS)
            return
    server.kill()
    server.wait()


def answers(home: Home) -> bool:
    """Say whether a server of this home holds the database and takes connections."""
    try:
        _connect(home, DATABASE).close()
    except psycopg.OperationalError:
        return False
    return True


def _make_cluster(home: Home, programs: Programs, lock: IO[str]) -> None:
    """Run initdb, which holds the lock too: where its owner is killed, the next one begins when it writes no more."""
    half = home.half_made("cluster")
    locale = ["--locale=C.UTF-8"]
    if programs.major >= _BUILTIN_LOCALE_SINCE:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    options = ("-U", ROLE, "-A", "trust", "-E", "UTF8", "-k", *locale)
    initdb = programs.launch(home, "initdb", "-D", os.fspath(half), *options, output=subprocess.PIPE, held=lock)
    said, _ = initdb.communicate()
    if initdb.returncode:
        raise _failure(home, "could not make its cluster", said)
    half.rename(home.cluster)


def _make_database(home: Home, server: subprocess.Popen[str]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            with _connect(home, "postgres") as connection:
                if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
                return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise
        time.sleep(0.02)


def _connect(home: Home, database: str) -> psycopg.Connection:
    where = os.fspath(home.sockets)
    return psycopg.connect(host=where, port=PORT, user=ROLE, dbname=database, autocommit=True, connect_timeout=10)


def _end_orphan(home: Home) -> None:
    """Clear the way of a server whose owner is gone, and of files that name a process which is no such server."""
    pid = _written_pid(home)
    if pid is None:
        return
    give_up_at = time.monotonic() + _STOP_SECONDS
    while _is_server_of(home, pid):
        if time.monotonic() > give_up_at:
            raise EmbeddedPostgresError(f"The PostgreSQL server {pid} in {home.folder} does not stop; end it by hand.")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        time.sleep(0.02)
    for stale in (home.cluster / "postmaster.pid", home.sockets / SOCKET, home.sockets / f"{SOCKET}.lock"):
        stale.unlink(missing_ok=True)


def _written_pid(home: Home) -> int | None:
    try:
        return int((home.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _is_server_of(home: Home, pid: int) -> bool:
    """Say whether that process is this home's server, and not another that got its number since."""
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(os.fspath(home.sockets / SOCKET)) == 0:
            return True
    with suppress(OSError):  # no such process, or no /proc
        return Path(f"/proc/{pid}/cwd").readlink() == home.cluster  # one that does not listen yet, or no longer
    return False


def _failure(home: Home, what: str, said: str) -> EmbeddedPostgresError:
    last = "\n".join(f"    {line}" for line in said.strip().splitlines()[-_LAST_LINES:])
    return EmbeddedPostgresError(
        f"The embedded PostgreSQL in {home.folder} {what}:\n{last or '    (it said nothing)'}\n"
        "If its data may go, remove that folder and start again; or set DATABASE_URL to a PostgreSQL of your own.",
    )
