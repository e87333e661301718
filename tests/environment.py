"""What every test run starts from: the sandbox settings and a PostgreSQL, before Django reads them."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from billing_router import embedded_postgres

if TYPE_CHECKING:
    from collections.abc import Generator

VAR = Path(__file__).resolve().parent.parent / "var"

FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Test data need not survive a power cut, and waiting for the disk is most of what a small transaction costs."""

os.environ.setdefault("BILLING_ROUTER_ENV", "sandbox")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start the server before pytest-django reads the settings, and stop it when the run is over.

    The workers of pytest-xdist inherit ``DATABASE_URL`` and so share the server of the process that started them.
    """
    if not os.environ.get("DATABASE_URL"):
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        server = embedded_postgres.running(free_data_directory(stack), settings=FAST)
        os.environ["DATABASE_URL"] = stack.enter_context(server).url
        stack.callback(os.environ.pop, "DATABASE_URL")
    return (yield)


def free_data_directory(stack: ExitStack) -> Path:
    """Take one that no other test run uses: two runs at once would drop each other's test database."""
    VAR.mkdir(exist_ok=True)
    names = chain(["test-postgres"], (f"test-postgres-{number}" for number in count(2)))
    return next(data for data in map(VAR.joinpath, names) if _take(data, stack))


def _take(data: Path, stack: ExitStack) -> bool:
    lock = stack.enter_context(data.with_suffix(".lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
