"""A server process with planted keys, and everything that it wrote."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tests.keys.openbao import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30


@dataclass(frozen=True)
class Router:
    """The router on a database of its own. What its processes print is in ``output``."""

    environ: dict[str, str]
    output: Path

    def manage(self, *arguments: str, keeps_output: bool = True) -> str:
        """Run a command to its end and return what it printed on standard output."""
        command = [sys.executable, "manage.py", *arguments]
        ran = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        with self.output.open("a") as output:
            output.write(ran.stderr + (ran.stdout if keeps_output else ""))
        assert ran.returncode == 0, f"{arguments} failed:\n{ran.stdout}{ran.stderr}"
        return ran.stdout.strip()

    @contextmanager
    def serving(self) -> Iterator[Server]:
        port = free_port()
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(port)],
                cwd=ROOT, env=self.environ, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            server = Server(f"http://127.0.0.1:{port}", process.pid)
            deadline = time.monotonic() + START_SECONDS
            while server.ask("GET", "/readyz")[0] != 200:
                assert process.poll() is None, self.output.read_text()
                assert time.monotonic() < deadline, self.output.read_text()
                time.sleep(0.1)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()

    def tables(self) -> Iterator[tuple[str, str]]:
        """Yield every table of the database, the job queue's too, with its rows as text."""
        with psycopg.connect(self.environ["DATABASE_URL"]) as database:
            named = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('information_schema')"
            for schema, table in database.execute(named).fetchall():
                rows = database.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table)))
                yield f"{schema}.{table}", "\n".join(row[0] for row in rows)


@dataclass(frozen=True)
class Server:
    address: str
    pid: int

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "", key: str = "") -> tuple[int, str]:
        """Return the status and the whole answer, headers included; 0 where there was none."""
        headers = {"Content-Type": "application/json", "Host": "localhost"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", content, headers, method=method)  # noqa: S310 (loopback)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (loopback)
                return answer.status, f"{answer.headers}\n{answer.read().decode()}"
        except urllib.error.HTTPError as error:
            with error:
                return error.code, f"{error.headers}\n{error.read().decode()}"
        except OSError:
            return 0, ""

    def processes(self) -> list[int]:
        """List the server's process and all that descend from it."""
        parents = {}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        found = [self.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found


@contextmanager
def database_of_its_own(name: str) -> Iterator[str]:
    """Make an empty database beside the tests' own and give its address."""
    server = os.environ["DATABASE_URL"]
    named = sql.Identifier(name)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(named))
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(named))


_PREFIXES = re.compile(r"^(?:[rsp]k_live_|whsec_|brt_)+")
"""What is no secret of a secret. A token's random part may have underscores of its own."""


def shapes(secret: str) -> list[str]:
    """Return how a secret's random part may stand in a text: as it is, as hexadecimal digits, in base64."""
    body = _PREFIXES.sub("", secret).encode()
    encoded = [base64.b64encode(b"x" * skipped + body).decode()[4:-4] for skipped in range(3)]
    return [body.decode(), body.hex(), *encoded]
