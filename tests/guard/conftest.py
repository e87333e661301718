"""A fresh code base for each test, as somebody else might write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from billing_guard import Finding, scan

CodeBase = Callable[[Mapping[str, str | bytes]], Path]
Found = Callable[[Mapping[str, str | bytes]], list[str]]


def short(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}:{finding.column} {finding.code}"


@pytest.fixture
def code_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CodeBase:
    """Write files by name, and change to the folder that holds them."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return write


@pytest.fixture
def found_codes(found: Found) -> Found:
    """Write files, and return the code of every finding."""
    return lambda files: [finding.split()[1] for finding in found(files)]


@pytest.fixture
def found(code_base: CodeBase) -> Found:
    """Write files, and return the position and code of every finding."""

    def find(files: Mapping[str, str | bytes]) -> list[str]:
        code_base(files)
        return [short(finding) for finding in scan([Path()]).findings]

    return find
