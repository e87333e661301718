"""Which files are scanned: those that belong to the code base itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOOL_FOLDERS = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", "site-packages", ".tox", ".nox"})
"""Folders that tools fill. Skipped where git does not say which files are tracked, unless one is named."""
_VIRTUALENV_MARKER = "pyvenv.cfg"
_LIST_TRACKED_AND_NEW = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")


def list_files(paths: Iterable[Path]) -> list[Path]:
    """Return each file once, sorted. A file that is named is always included."""
    return sorted({file for path in paths for file in ([path] if path.is_file() else _files_below(path))})


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield what git tracks and what is new; without git, or if git ignores the whole folder, every file."""
    is_ignored = _git(folder, "check-ignore", "--quiet", ".") is not None
    names = None if is_ignored else _git(folder, *_LIST_TRACKED_AND_NEW)
    if names is None:
        yield from _walk(folder)
        return
    for name in filter(None, os.fsdecode(names).split("\0")):
        path = folder / name
        if path.is_symlink():
            continue
        if path.is_dir():  # a nested repository
            yield from _files_below(path)
        elif path.is_file():
            yield path


def _git(folder: Path, *command: str) -> bytes | None:
    """Return git's output, or None if it failed or is not installed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        completed = subprocess.run(  # noqa: S603 (a fixed command and a folder)
            ["git", "-C", os.fspath(folder), *command],  # noqa: S607 (the user's own git)
            env=environment,  # in a hook, GIT_DIR and GIT_INDEX_FILE name the repository of the commit
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    return completed.stdout if completed.returncode == 0 else None


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):  # follows no links, so it ends
        folders[:] = [name for name in folders if name not in _TOOL_FOLDERS and not _is_virtualenv(Path(parent, name))]
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _is_virtualenv(folder: Path) -> bool:
    return (folder / _VIRTUALENV_MARKER).exists()
