"""Which files are read: those that are a code base's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NOT_OWN = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", "site-packages", ".tox", ".nox"})
"""Folders that tools fill. Skipped where git does not say what is the code base's own, unless one is named."""
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files, in order and each once. A file that is named is taken, whatever it is."""
    found = {file for path in paths for file in ([path] if path.is_file() else _files_below(path))}
    return sorted(found)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield what git knows of and does not ignore; every file where there is no git, or it ignores all of this."""
    names = None if _git(folder, "check-ignore", "--quiet", ".") is not None else _git(folder, *_LIST)
    if names is None:
        yield from _walked(folder)
        return
    for name in filter(None, os.fsdecode(names).split("\0")):
        path = folder / name
        if path.is_symlink():
            continue
        if path.is_dir():  # a repository in the repository
            yield from _files_below(path)
        elif path.is_file():
            yield path


_LIST = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")


def _git(folder: Path, *command: str) -> bytes | None:
    """Return what git says, or None where it says no or is not there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        asked = subprocess.run(  # noqa: S603 (fixed words and a folder)
            ["git", "-C", os.fspath(folder), *command],  # noqa: S607 (the one that the user has)
            env=environment,  # a hook's GIT_DIR and GIT_INDEX_FILE are about another question
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    return asked.stdout if asked.returncode == 0 else None


def _walked(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):  # follows no links, so there is no circle
        folders[:] = [name for name in folders if name not in _NOT_OWN and not _is_environment(Path(here, name))]
        for name in names:
            path = Path(here, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _is_environment(folder: Path) -> bool:
    return (folder / _VIRTUAL_ENVIRONMENT).exists()
