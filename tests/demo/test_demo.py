"""The demo shows one charge on both sides, as often as it is started, and once at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.keys.planted import database_of_its_own

_ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("billing_router", "config", "demo", "routing", "sandbox", "stripe_billing_router", "templates")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the product, so that a demo which runs here meanwhile is in nobody's way."""
    for part in _PARTS:
        shutil.copytree(_ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_ROOT / "manage.py", tmp_path)
    return tmp_path


def run_demo(checkout: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", "--exit"],
        cwd=checkout,
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_charges_once_each_time_and_both_sides_agree(checkout):
    with database_of_its_own("demo_test") as database_url:
        runs = [run_demo(checkout, database_url) for _ in range(2)]

    for run in runs:
        assert run.returncode == 0, run.stderr
        assert run.stdout.count("The ledger's row") == 1
        assert run.stdout.count("The sandbox Stripe's own list") == 1
        assert "Both agree: one charge, with the route's amount, currency and customer." in run.stdout


def test_a_second_demo_of_the_same_checkout_is_refused(checkout):
    (checkout / "var").mkdir()
    with (checkout / "var" / "demo.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)

        second = run_demo(checkout, "postgresql://nobody@127.0.0.1:9/none")

    assert second.returncode == 1
    assert second.stderr == "A demo of this checkout is running already. Stop it first, with Ctrl-C.\n"
