"""What a linter or the type checker is told to ignore, it is told why."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[1]
_OTHERS = {".venv", "build", "var"}
"""Folders whose Python is not the project's own."""

_IGNORE = re.compile(r"\b(noqa|type:\s*ignore)\b", re.IGNORECASE)
_ALLOWED = (
    re.compile(r"# (ruff: )?noqa: [A-Z]+\d+(, [A-Z]+\d+)* \([^()].*\)"),
    re.compile(r"# type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \S.*"),
)


def is_allowed(comment: str) -> bool:
    """Say whether the comment, if it is an ignore at all, names its codes and its reason."""
    return not _IGNORE.search(comment) or any(form.fullmatch(comment) for form in _ALLOWED)


def comments() -> Iterator[tuple[str, str]]:
    """Yield where each comment of the project's Python is, and the comment."""
    for path in sorted(_ROOT.rglob("*.py")):
        if path.relative_to(_ROOT).parts[0] in _OTHERS:
            continue
        with tokenize.open(path) as file:
            for token in tokenize.generate_tokens(file.readline):
                if token.type == tokenize.COMMENT:
                    yield f"{path.relative_to(_ROOT)}:{token.start[0]}", token.string


def test_every_ignore_names_its_code_and_its_reason():
    assert [f"{where}: {comment}" for where, comment in comments() if not is_allowed(comment)] == []


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# noqa: S603",
        "# noqa: S603  our own program",
        "# noqa: S603 - our own program",
        "# noqa: S603 ()",
        "# ruff: noqa",
        "# type: ignore",
        "# type: ignore[misc]",
        "# type: ignore  # made at run time",
    ],
)
def test_an_ignore_in_another_form_is_found(comment):
    assert not is_allowed(comment)
