"""The server as production runs it, with its jobs: started, killed with all its processes, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.billing_router.servers import are_gone
from tests.keys.openbao import free_port
from tests.keys.planted import Server
from tests.payments.threads import until

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[3]


class Served:
    """At most one server at a time, always at the same address. What it prints is in ``log``."""

    def __init__(self, database_url: str, stripe: str, log: Path, *options: str) -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        self.log = log
        self._options = options
        self._environment = {**os.environ, "DATABASE_URL": database_url, "STRIPE_API_BASE": stripe}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        port = self.address.rpartition(":")[2]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", port, *self._options],
                cwd=_ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_until_ready(self) -> None:
        assert self._process is not None
        server = Server(self.address, self._process.pid)
        until(lambda: self._process.poll() is not None or server.ask("GET", "/readyz")[0] == 200, "The server's start")  # type: ignore[union-attr]  # asserted above
        assert self._process.poll() is None, self.log.read_text()

    def processes(self) -> set[int]:
        """Return the server's process and all its descendants."""
        return set(Server(self.address, self._process.pid).processes()) if self._process else set()

    def kill(self) -> None:
        """Kill all its processes; the server itself is suspended first, so that it starts none meanwhile."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGSTOP)
        killed = self.processes()
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        until(lambda: are_gone(killed), "The end of the server's processes")


@contextmanager
def serving(database_url: str, stripe: str, log: Path, *options: str) -> Iterator[Served]:
    """Yield a server that is not started yet, and kill it in the end."""
    served = Served(database_url, stripe, log, *options)
    try:
        yield served
    finally:
        served.kill()
