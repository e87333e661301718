"""The threat model names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")

NAMED = _NAMED.findall((_ROOT / "docs" / "threat-model.md").read_text())


def test_every_test_that_the_threat_model_names_is_there():
    files = {path: (_ROOT / path).read_text() for path, _ in NAMED if (_ROOT / path).is_file()}
    missing = [f"{path}::{name}" for path, name in NAMED if f"def {name or 'test_'}" not in files.get(path, "")]

    assert NAMED
    assert missing == []


def test_every_promise_has_one():
    table = (_ROOT / "docs" / "threat-model.md").read_text()

    assert re.findall(r"^\| ([0-9])\. ", table, re.MULTILINE) == list("123456789")
