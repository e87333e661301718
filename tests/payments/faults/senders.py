"""Senders in processes of their own: started, waited for, stopped, woken and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.payments.faults.scenarios import ANSWER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOT = Path(__file__).resolve().parents[3]
_PATIENCE = 30


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait until ``holds`` gives something, and return that."""
    give_up_at = time.monotonic() + _PATIENCE
    while not (found := holds()):
        if time.monotonic() > give_up_at:
            raise AssertionError(f"{what} did not happen within {_PATIENCE} seconds.")
        time.sleep(0.005)
    return found


@dataclass(frozen=True, slots=True)
class Sender:
    pid: int
    says: Path

    def said(self) -> list[dict[str, Any]]:
        text = self.says.read_text() if self.says.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait_until_it_stops(self) -> None:
        """Wait until it has stopped itself where its order says, or has come to its end without getting there."""
        until(lambda: self._state() == "T" or self.is_gone(), "The sender's stop")

    def answer(self) -> dict[str, Any]:
        """Wait for what the bot is told."""
        until(self.is_gone, "The sender's answer")
        return self.said()[-1]

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: self._state() == "T", "The sender's stop")

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        until(self.is_gone, "The sender's end")

    def is_gone(self) -> bool:
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

    def start(self, flow: str, key: str, stripe: str, secret_key: str, **more: Any) -> Sender:
        """Let a sender ask for a flow; ``more`` are ``words``, and ``stop`` with ``at``, the call where it stops."""
        says = self._folder / f"{next(self._numbers)}.jsonl"
        order = {
            "flow": flow,
            "key": key,
            "stripe": stripe,
            "environment": {"STRIPE_SECRET_KEY": secret_key},
            "words": {},
            "stop": "",
            "at": "POST *",
            "is_refused": False,
            "lease_seconds": None,
            "answer_seconds": ANSWER_SECONDS,
            "says": os.fspath(says),
            **more,
        }
        assert self._process.stdout is not None
        self._write(json.dumps(order))
        sender = Sender(int(self._process.stdout.readline()), says)
        self._started.append(sender)
        return sender

    def end_all(self) -> None:
        """Kill what is still there, so that no sender outlives its test, and have all of them reaped."""
        for sender in self._started:
            sender.kill()
        self._started.clear()
        self._write("")

    def _write(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
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
            process.wait(_PATIENCE)
