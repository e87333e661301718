"""Data directories for embedded servers, and processes that run them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from billing_router import embedded_postgres
from tests.billing_router.servers import Runner, copied, eventually, servers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the server's user can enter, which pytest's own is not where root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="embedded-") as made:
        Path(made).chmod(0o755)
        yield Path(made).resolve()


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="embedded-template-") as made:
        Path(made).chmod(0o755)
        with embedded_postgres.running(Path(made) / "postgres"):
            pass
        yield Path(made) / "postgres"


@pytest.fixture
def data(folder: Path, template: Path) -> Path:
    """Give a data directory with its cluster made, so that a start is a warm one."""
    return copied(template, folder / "postgres")


@pytest.fixture
def runner() -> Iterator[Callable[..., Runner]]:
    """Give what starts them. Afterwards they are killed, and their servers have ended.

    A server whose owner was killed stops in order, and writes to its folder until it has: that may take a busy machine
    seconds, and the folder is about to be removed.
    """
    runners: list[Runner] = []

    def run(data: Path, *, prefix: tuple[str, ...] = (), **environment: str) -> Runner:
        runners.append(Runner(data, prefix=prefix, **environment))
        return runners[-1]

    yield run
    for runner in runners:
        runner.process.kill()
    for runner in runners:
        runner.process.communicate()
    for data in {runner.data for runner in runners}:
        assert eventually(lambda data=data: not servers_of(data), 60)
