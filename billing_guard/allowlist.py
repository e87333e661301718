"""Which findings are allowed, and why: by a comment at the line, or by ``.billing-guard.toml``."""

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

_ALLOW_COMMENT = re.compile(r"billing-guard:[ \t]*allow\b(?P<reason>[^\n]*)")
_WORD = re.compile(r"[^\W\d_]{3}")
_COMMENT_START = re.compile(r"[ \t]*(?:#|//|/\*|\*|<!--|--|;|%)")
_CODES = frozenset(rule.code for rule in RULES)


class InvalidAllowlistError(ValueError):
    """A ``.billing-guard.toml`` that does not say what it allows and why."""


@dataclass(frozen=True, slots=True)
class AllowlistEntry:
    """``paths`` are patterns below ``folder``; ``*`` matches any characters, slashes too."""

    folder: Path
    paths: tuple[str, ...]
    codes: frozenset[str]

    def allows(self, path: Path, code: str) -> bool:
        below_folder = path.absolute().relative_to(self.folder).as_posix()
        return code in self.codes and any(fnmatchcase(below_folder, pattern) for pattern in self.paths)


def lines_allowed_by_comment(lines: Sequence[str]) -> frozenset[int]:
    """Return line numbers, from 1: of each comment with a reason, and of the line below it if it stands alone."""
    commented = [number for number, line in enumerate(lines, 1) if _has_reason(line)]
    below = [number + 1 for number in commented if _COMMENT_START.match(lines[number - 1])]
    return frozenset([*commented, *below])


def is_allowed(path: Path, code: str) -> bool:
    """Whether the nearest ``.billing-guard.toml`` allows this rule in this file."""
    return any(entry.allows(path, code) for entry in _nearest_entries(path.absolute().parent))


def _has_reason(line: str) -> bool:
    comment = _ALLOW_COMMENT.search(line)
    return comment is not None and _WORD.search(comment["reason"]) is not None


@cache
def _nearest_entries(folder: Path) -> tuple[AllowlistEntry, ...]:
    """Return the entries of the file in this folder or the nearest above it, within the repository."""
    file = folder / FILE_NAME
    if file.is_file():
        return _parse_file(file)
    if (folder / ".git").exists() or folder.parent == folder:
        return ()
    return _nearest_entries(folder.parent)


def _parse_file(file: Path) -> tuple[AllowlistEntry, ...]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise InvalidAllowlistError(f"{file} cannot be read: {cause}.") from cause
    entries = content.get("allow")
    if content.keys() != {"allow"} or not isinstance(entries, list):
        raise InvalidAllowlistError(f"{file} may hold [[allow]] entries and nothing else.")
    return tuple(_parse_entry(file, entry) for entry in entries)


def _parse_entry(file: Path, entry: Any) -> AllowlistEntry:
    if not isinstance(entry, dict) or entry.keys() != {"paths", "codes", "reason"}:
        raise InvalidAllowlistError(f"Each [[allow]] in {file} needs paths, codes and reason, and nothing else.")
    paths, codes, reason = entry["paths"], entry["codes"], entry["reason"]
    if not isinstance(reason, str) or not _WORD.search(reason):
        raise InvalidAllowlistError(f"An [[allow]] in {file} has no reason. Say why these findings are acceptable.")
    if not _is_list_of_strings(paths) or not _is_list_of_strings(codes):
        raise InvalidAllowlistError(f"The paths and codes of each [[allow]] in {file} must be lists of strings.")
    if unknown := sorted(set(codes) - _CODES):
        raise InvalidAllowlistError(
            f"{file} allows {', '.join(unknown)}, which is no rule. The rules are {', '.join(sorted(_CODES))}."
        )
    return AllowlistEntry(file.parent, tuple(paths), frozenset(codes))


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, str) for entry in value)
