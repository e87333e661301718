"""One PostgreSQL server process: creates its cluster, starts it, recognizes it and stops it."""

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
from billing_router.postgres_programs import Programs, find_programs, make_reachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing_router.postgres_home import Home

ROLE = "postgres"
DATABASE = "billing_router"

START_SECONDS = 60
"""The first start also creates the cluster: a few seconds, and many more on a busy machine."""

_STOP_SECONDS = 10
_LAST_LINES = 8
_BUILTIN_LOCALE_SINCE = 17
_SETTINGS = {
    "listen_addresses": "",
    "log_min_error_statement": "panic",  # a key may have been pasted into the statement that fails
    "log_timezone": "UTC",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}


def start(home: Home, settings: Mapping[str, str], lock: IO[str]) -> subprocess.Popen[str]:
    """Return a server that is ready and has the database. The caller holds ``lock``, the home's owner lock."""
    programs = make_reachable(find_programs(), home)
    if not home.cluster.exists():
        _make_cluster(home, programs, lock)
    _stop_orphan(home)
    escaped = os.fspath(home.sockets).replace('"', '""')
    all_settings = {**_SETTINGS, "unix_socket_directories": f'"{escaped}"', **settings}
    options = [f"--{name}={value}" for name, value in all_settings.items()]
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
    """Shut down fast: SIGINT ends open sessions, where SIGTERM would wait for every pooled connection."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        server.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_SECONDS)
            return
    server.kill()
    server.wait()


def is_serving(home: Home) -> bool:
    """Whether a server of this home has the database and accepts connections."""
    try:
        _connect(home, DATABASE).close()
    except psycopg.OperationalError:
        return False
    return True


def _make_cluster(home: Home, programs: Programs, lock: IO[str]) -> None:
    """Run initdb, which has the lock too: if its owner is killed, the next one starts when it has stopped writing."""
    partial = home.make_partial("cluster")
    locale = ["--locale=C.UTF-8"]
    if programs.major >= _BUILTIN_LOCALE_SINCE:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    options = ("-U", ROLE, "-A", "trust", "-E", "UTF8", "-k", *locale)
    initdb = programs.launch(home, "initdb", "-D", os.fspath(partial), *options, output=subprocess.PIPE, lock=lock)
    output, _ = initdb.communicate()
    if initdb.returncode:
        raise _failure(home, "could not create its cluster", output)
    partial.rename(home.cluster)


def _make_database(home: Home, server: subprocess.Popen[str]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            with _connect(home, "postgres") as connection:
                if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                    _leave_rows_out_of_the_log(connection)
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
                return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise
        time.sleep(0.02)


def _leave_rows_out_of_the_log(connection: psycopg.Connection) -> None:
    """Let sessions log an error without its details, which quote the row. The server's own errors keep theirs."""
    connection.execute(sql.SQL("ALTER ROLE {} SET log_error_verbosity = 'terse'").format(sql.Identifier(ROLE)))


def _connect(home: Home, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=os.fspath(home.sockets), port=PORT, user=ROLE, dbname=database, autocommit=True, connect_timeout=10
    )


def _stop_orphan(home: Home) -> None:
    """Stop a server whose owner has ended, and remove the files of one that is no longer running."""
    pid = _read_pid(home)
    if pid is None:
        return
    give_up_at = time.monotonic() + _STOP_SECONDS
    while _is_server_of(home, pid):
        if time.monotonic() > give_up_at:
            raise EmbeddedPostgresError(f"The PostgreSQL server {pid} in {home.folder} does not stop; kill it.")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        time.sleep(0.02)
    for stale in (home.cluster / "postmaster.pid", home.sockets / SOCKET, home.sockets / f"{SOCKET}.lock"):
        stale.unlink(missing_ok=True)


def _read_pid(home: Home) -> int | None:
    try:
        return int((home.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _is_server_of(home: Home, pid: int) -> bool:
    """Whether that process is this home's server, and not another with the same PID."""
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(os.fspath(home.sockets / SOCKET)) == 0:
            return True
    with suppress(OSError):  # no such process, or no /proc
        return Path(f"/proc/{pid}/cwd").readlink() == home.cluster  # a server that is not listening yet, or no longer
    return False


def _failure(home: Home, problem: str, output: str) -> EmbeddedPostgresError:
    last = "\n".join(f"    {line}" for line in output.strip().splitlines()[-_LAST_LINES:])
    return EmbeddedPostgresError(
        f"The embedded PostgreSQL in {home.folder} {problem}:\n{last or '    (no output)'}\n"
        "If its data may be lost, remove that folder and try again; or set DATABASE_URL to a PostgreSQL of your own.",
    )
