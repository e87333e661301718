"""Processes that run embedded servers, and what is seen of them from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]

_RUN_UNTIL_INPUT_ENDS = """
import signal, sys
from pathlib import Path
from billing_router import embedded_postgres
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started the tests in the background
with embedded_postgres.running(Path(sys.argv[1])) as address:
    print(address.url, flush=True)
    sys.stdin.read()
"""


class Runner:
    """A process of its own that keeps the server of a data directory running until it is told to stop."""

    def __init__(self, data: Path, *, prefix: tuple[str, ...] = (), **environment: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", _RUN_UNTIL_INPUT_ENDS, os.fspath(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.fspath(ROOT), **environment},
            text=True,
        )

    def url(self) -> str:
        """Wait until it says that the server is there."""
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        assert url, f"It ended with {self.process.wait(20)} before its server was there."
        return url

    def end(self, ending: signal.Signals) -> None:
        self.process.send_signal(ending)
        self.process.wait(20)

    def finish(self) -> None:
        self.process.communicate(timeout=20)


def copied(template: Path, data: Path) -> Path:
    """Copy a data directory with the owners of its files, which ``shutil.copytree`` leaves behind."""
    data.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-Rp", template, data], check=True)
    return data


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def servers_of(data: Path) -> set[int]:
    """List the server of this data directory, or its initdb, and their children, of whichever user they are."""
    cluster = os.fsencode(data / "cluster")  # how the name of what initdb fills begins too
    parents: dict[int, int] = {}
    servers = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if any(each.startswith(cluster) for each in (process / "cmdline").read_bytes().split(b"\0")):
                servers.add(int(process.name))
    return servers | {pid for pid, parent in parents.items() if parent in servers}


def signal_all(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def are_gone(pids: set[int]) -> bool:
    return not any(_is_alive(pid) for pid in pids)


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def users_of(pids: set[int]) -> set[int]:
    users = set()
    for pid in pids:
        with suppress(FileNotFoundError):  # a worker of the server that has ended since it was listed
            users.add(Path(f"/proc/{pid}").stat().st_uid)
    return users


def postmaster_of(data: Path) -> int:
    with suppress(OSError, ValueError):
        return int((data / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])
    return 0


def does_answer(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        return ask(url, "SELECT 1") == 1
    return False


def eventually(is_true: Callable[[], bool], seconds: float = 15) -> bool:
    give_up_at = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True
