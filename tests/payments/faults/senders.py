"""Senders in processes of their own: started, waited for, suspended, resumed and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.payments.faults.scenarios import RESPONSE_SECONDS
from tests.payments.threads import WAIT_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Sender:
    pid: int
    output: Path

    def messages(self) -> list[dict[str, Any]]:
        text = self.output.read_text() if self.output.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait_until_stopped(self) -> None:
        """Wait until it has stopped where its command says, or has ended without getting there."""
        until(lambda: self._state() == "T" or self.has_ended(), "The stop of the sender")

    def response(self) -> dict[str, Any]:
        """Wait for the response to the bot."""
        until(self.has_ended, "The end of the sender")
        return self.messages()[-1]

    def suspend(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: self._state() == "T", "The stop of the sender")

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        until(self.has_ended, "The end of the sender")

    def has_ended(self) -> bool:
        return self._state() in {"", "Z", "X"}

    def _state(self) -> str:
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return ""


class Senders:
    """The process that forks the senders, all of them on one database."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._numbers = count()
        self._started: list[Sender] = []

    def start(self, flow: str, key: str, stripe: str, secret_key: str, **options: Any) -> Sender:
        """Start a sender of the flow's request.

        ``options`` are the request's ``fields``, and ``stop`` with ``at``, the call where it stops.
        """
        output = self._folder / f"{next(self._numbers)}.jsonl"
        command = {
            "flow": flow,
            "key": key,
            "stripe": stripe,
            "environment": {"STRIPE_SECRET_KEY": secret_key},
            "fields": {},
            "stop": "",
            "at": "POST *",
            "is_connection_refused": False,
            "lease_seconds": None,
            "check_seconds": 1,
            "response_seconds": RESPONSE_SECONDS,
            "output": os.fspath(output),
            **options,
        }
        assert self._process.stdout is not None
        self._write(json.dumps(command))
        sender = Sender(int(self._process.stdout.readline()), output)
        self._started.append(sender)
        return sender

    def end_all(self) -> None:
        """Kill the senders that have not ended, so that none outlives its test, and have all of them reaped."""
        for sender in self._started:
            sender.kill()
        self._started.clear()
        self._write("")

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


@contextmanager
def running_senders(database_url: str, folder: Path) -> Iterator[Senders]:
    environment = {**os.environ, "DATABASE_URL": database_url, "BILLING_ROUTER_ENV": "sandbox"}
    for name in ("VAULT_ADDR", "STRIPE_KEYS_DIR"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "tests.payments.faults.sender"]
    with (
        (folder / "senders.log").open("w") as log,
        subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        senders = Senders(process, folder)
        try:
            yield senders
        finally:
            senders.end_all()
            assert process.stdin is not None
            process.stdin.close()
            process.wait(WAIT_SECONDS)
