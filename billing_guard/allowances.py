"""Where a hit is allowed, and why: by a comment at the line, or by a file for the whole code base."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

from billing_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE_NAME = ".billing-guard.toml"

_COMMENT = re.compile(r"billing-guard:[ \t]*allow\b(?P<reason>[^\n]*)")
_A_WORD = re.compile(r"[^\W\d_]{3}")
_COMMENT_LINE = re.compile(r"[ \t]*(?:#|//|/\*|\*|<!--|--|;|%)")
_CODES = frozenset(rule.code for rule in RULES)


class UnusableAllowancesError(ValueError):
    """A ``.billing-guard.toml`` that does not say what it allows and why."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """``paths`` are patterns below ``folder``, in which ``*`` stands for anything, slashes too."""

    folder: Path
    paths: tuple[str, ...]
    codes: frozenset[str]

    def covers(self, path: Path, code: str) -> bool:
        below = path.absolute().relative_to(self.folder).as_posix()
        return code in self.codes and any(fnmatchcase(below, pattern) for pattern in self.paths)


def allowed_lines(lines: Sequence[str]) -> frozenset[int]:
    """Return the lines, from 1, that a comment allows: its own, and the next one where it stands alone."""
    reasoned = [number for number, line in enumerate(lines, 1) if _has_reason(line)]
    return frozenset([*reasoned, *(number + 1 for number in reasoned if _COMMENT_LINE.match(lines[number - 1]))])


def is_allowed(path: Path, code: str) -> bool:
    """Whether the nearest file of allowances covers the path for this code."""
    return any(allowance.covers(path, code) for allowance in _for_folder(path.absolute().parent))


def _has_reason(line: str) -> bool:
    found = _COMMENT.search(line)
    return found is not None and _A_WORD.search(found["reason"]) is not None


@cache
def _for_folder(folder: Path) -> tuple[Allowance, ...]:
    file = folder / FILE_NAME
    if file.is_file():
        return _read(file)
    if (folder / ".git").exists() or folder.parent == folder:
        return ()
    return _for_folder(folder.parent)


def _read(file: Path) -> tuple[Allowance, ...]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise UnusableAllowancesError(f"{file} cannot be read: {cause}.") from cause
    entries = content.get("allow")
    if content.keys() != {"allow"} or not isinstance(entries, list):
        raise UnusableAllowancesError(f"{file} may hold [[allow]] entries and nothing else.")
    return tuple(_entry(file, entry) for entry in entries)


def _entry(file: Path, entry: Any) -> Allowance:
    if not isinstance(entry, dict) or entry.keys() != {"paths", "codes", "reason"}:
        raise UnusableAllowancesError(f"Each [[allow]] of {file} gives paths, codes and reason, and nothing else.")
    paths, codes, reason = entry["paths"], entry["codes"], entry["reason"]
    if not isinstance(reason, str) or not _A_WORD.search(reason):
        raise UnusableAllowancesError(f"An [[allow]] of {file} has no reason. Say why it may be so.")
    if not _are_texts(paths) or not _are_texts(codes):
        raise UnusableAllowancesError(f"The paths and codes of each [[allow]] of {file} are lists of text.")
    if unknown := sorted(set(codes) - _CODES):
        raise UnusableAllowancesError(f"{file} allows {', '.join(unknown)}. The codes are {', '.join(sorted(_CODES))}.")
    return Allowance(file.parent, tuple(paths), frozenset(codes))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, str) for entry in value)
