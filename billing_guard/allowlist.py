"""Which findings are allowed, and why.

The repository says so itself, by a comment at the line or by ``.billing-guard.toml``; or a central file does, and then
what the repository says does not count.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from billing_guard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FILE_NAME = ".billing-guard.toml"

_ALLOW_COMMENT = re.compile(r"billing-guard:[ \t]*allow\b(?P<reason>[^\n]*)")
_WORD = re.compile(r"[^\W\d_]{3}")
_COMMENT_START = re.compile(r"[ \t]*(?:#|//|/\*|\*|<!--|--|;|%)")
_CODES = frozenset(rule.code for rule in RULES)


class InvalidAllowlistError(ValueError):
    """A ``.billing-guard.toml`` or central file that does not say what it allows and why, or cannot be used here."""


@dataclass(frozen=True, slots=True)
class AllowlistEntry:
    """``paths`` are patterns below ``folder``; ``*`` matches any characters, slashes too.

    ``repository`` is the only one that an entry of a central file is for; None for any.
    """

    folder: Path
    paths: tuple[str, ...]
    codes: frozenset[str]
    repository: str | None = None

    def allows(self, file: Path, code: str) -> bool:
        """Whether the entry allows this rule in this file, whose path is resolved."""
        if code not in self.codes or not file.is_relative_to(self.folder):
            return False
        below_folder = file.relative_to(self.folder).as_posix()
        return any(fnmatchcase(below_folder, pattern) for pattern in self.paths)


@dataclass(frozen=True, slots=True)
class Allowlist:
    """``central`` holds the entries of the central file; None if the repository itself says what it allows."""

    central: tuple[AllowlistEntry, ...] | None = None

    def allowed_lines(self, lines: Sequence[str]) -> frozenset[int]:
        """Return the numbers, from 1, of the lines on which a comment allows every finding."""
        return _lines_allowed_by_comment(lines) if self.central is None else frozenset()

    def allows(self, path: Path, code: str) -> bool:
        """Whether the central file or else the nearest ``.billing-guard.toml`` allows this rule in this file."""
        file = path.resolve()
        entries = _nearest_entries(file.parent) if self.central is None else self.central
        return any(entry.allows(file, code) for entry in entries)


def read_central(file: Path, paths: Iterable[Path], *, repository: str | None = None) -> Allowlist:
    """Return what the central file allows below ``paths``, which belong to one repository.

    A file inside that repository is refused: whoever changes the code could allow the change.
    """
    roots = {_repository_root(path.resolve()) for path in paths}
    if len(roots) != 1:
        raise InvalidAllowlistError("A central file of exemptions is for one repository. Check one after the other.")
    root = roots.pop()
    if file.resolve().is_relative_to(root):
        raise InvalidAllowlistError(f"{file} is inside the checked repository, {root}. Keep the exemptions outside.")
    entries = _parse_file(file, root, may_name_repository=True)
    return Allowlist(tuple(entry for entry in entries if entry.repository in {None, repository}))


def _repository_root(path: Path) -> Path:
    """Return the nearest folder that is a git repository; without one, the folder in which the guard was started."""
    return next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), Path.cwd().resolve())


def _lines_allowed_by_comment(lines: Sequence[str]) -> frozenset[int]:
    """Return the lines of each comment with a reason, and the line below it if it stands alone."""
    commented = [number for number, line in enumerate(lines, 1) if _has_reason(line)]
    below = [number + 1 for number in commented if _COMMENT_START.match(lines[number - 1])]
    return frozenset([*commented, *below])


def _has_reason(line: str) -> bool:
    comment = _ALLOW_COMMENT.search(line)
    return comment is not None and _WORD.search(comment["reason"]) is not None


@cache
def _nearest_entries(folder: Path) -> tuple[AllowlistEntry, ...]:
    """Return the entries of the file in this folder or the nearest above it, within the repository."""
    file = folder / FILE_NAME
    if file.is_file():
        return _parse_file(file, folder)
    if (folder / ".git").exists() or folder.parent == folder:
        return ()
    return _nearest_entries(folder.parent)


def _parse_file(file: Path, folder: Path, *, may_name_repository: bool = False) -> tuple[AllowlistEntry, ...]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise InvalidAllowlistError(f"{file} cannot be read: {cause}.") from cause
    entries = content.get("allow")
    if content.keys() != {"allow"} or not isinstance(entries, list):
        raise InvalidAllowlistError(f"{file} may hold [[allow]] entries and nothing else.")
    repositories = [_pop_repository(file, entry) if may_name_repository else None for entry in entries]
    return tuple(_parse_entry(file, folder, *pair) for pair in zip(entries, repositories, strict=True))


def _pop_repository(file: Path, entry: Any) -> str | None:
    repository = entry.pop("repository", None) if isinstance(entry, dict) else None
    if repository is not None and not (isinstance(repository, str) and repository):
        raise InvalidAllowlistError(f"The repository of an [[allow]] in {file} must be its name.")
    return repository


def _parse_entry(file: Path, folder: Path, entry: Any, repository: str | None) -> AllowlistEntry:
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
    return AllowlistEntry(folder, tuple(paths), frozenset(codes), repository)


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, str) for entry in value)
