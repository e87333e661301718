"""What the test plugin promises about the database of a test run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests import environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_two_test_runs_at_once_have_a_server_each_and_the_next_one_the_first_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(environment, "VAR", tmp_path / "var")

    with ExitStack() as one, ExitStack() as other:
        names = [environment.free_data_directory(run).name for run in (one, other)]
    with ExitStack() as later:
        names.append(environment.free_data_directory(later).name)

    assert names == ["test-postgres", "test-postgres-2", "test-postgres"]
