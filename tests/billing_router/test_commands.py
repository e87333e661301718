"""Commands where PostgreSQL is not there: a sentence and no traceback, and those that run for ever go on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def command(*words: str) -> subprocess.Popen[str]:
    """Start a command of manage.py whose database is at a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "BILLING_ROUTER_ENV": "sandbox",
        "DATABASE_URL": f"postgresql://router@127.0.0.1:{port}/router",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", *words], cwd=_ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("words", [("settle_payments", "--once"), ("reconcile",)])
def test_a_command_without_its_database_says_so_in_a_sentence(words):
    with command(*words) as started:
        _, said = started.communicate(timeout=60)

    assert started.returncode == 1
    last = said.splitlines()[-1]
    assert last.startswith("The database cannot be used. Check that PostgreSQL runs, and DATABASE_URL: ")
    assert "Traceback" not in said


def test_settling_goes_on_when_the_database_is_away_and_ends_when_it_is_told_to():
    with command("settle_payments") as started:
        assert started.stderr is not None
        said = next(line for line in started.stderr if "nothing is settled" in line)
        started.send_signal(signal.SIGTERM)
        _, last = started.communicate(timeout=60)

    assert "cannot be reached" in said
    assert started.returncode == 0
    assert "Traceback" not in last
