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
    last = said.splitlines()[-1]
    assert last.startswith("The database cannot be used. Check that PostgreSQL runs, and DATABASE_URL: ")
    assert "Traceback" not in said


_WRONG_URL = (
    "  - DATABASE_URL: must name a PostgreSQL database, such as postgresql://user:password@host:5432/database. "
    "Percent-encode special characters in the password, and use only options that libpq knows."
)


def ended(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BILLING_ROUTER_ENV": "sandbox", "DATABASE_URL": url}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://router:SECRET@localhost/router",
        "postgresql://router:SEC/RET@localhost/router",
        "postgresql://router:SECRET@localhost",
        "postgresql://router:SECRET@localhost/router?no_such_option=1",
        "postgresql://router:SEC%RET@localhost/router",
        "SECRET",
    ],
)
def test_a_wrong_database_url_is_one_sentence_that_names_it(url):
    found = ended(url, "migrate")

    assert found.returncode == 1
    assert found.stderr.splitlines()[1] == _WRONG_URL
    assert "Traceback" not in found.stderr
    assert "SEC" not in found.stderr


@pytest.mark.parametrize("words", [("migrate",), ("settle_payments", "--once")])
def test_a_url_that_leads_nowhere_is_named_without_its_password(words):
    found = ended("postgresql://router:SECRET@127.0.0.1:1/router", *words)

    assert found.returncode == 1
    assert [line.partition(":")[0] for line in found.stderr.splitlines()] == [
        "The database cannot be used. Check that PostgreSQL runs, and DATABASE_URL"
    ]
    assert "SECRET" not in found.stderr


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
