"""Where an embedded PostgreSQL lives, and as which user it runs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

PORT = "5432"
"""Only names the socket's file: nothing listens on TCP."""

SOCKET = f".s.PGSQL.{PORT}"

FOR_ROOT = Path("/var/lib/billing-router")
"""Where root keeps what the server's user cannot reach in the checkout."""

_FOR_LONG_PATHS = Path("/tmp")  # noqa: S108 (the same in every process, as TMPDIR is not; owner and mode are checked)
_MAX_SOCKET_PATH = 107
"""Bytes; sockaddr_un holds 108 with the closing zero on Linux."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be had; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as: this process's own user, and never root, which PostgreSQL refuses."""

    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Ask the kernel, as this account, whether the folder may be entered."""
        if os.geteuid() != 0:
            return True  # it is this process, whose own errors will say so where it may not
        test = ["test", "-x", os.fspath(folder)]
        asked = subprocess.run(test, user=self.uid, group=self.gid, extra_groups=(), check=False)  # noqa: S603 (fixed words and a path)
        return asked.returncode == 0


@dataclass(frozen=True, slots=True)
class Home:
    """One server's folder: the cluster, the owner's lock, the log and, where its path is short enough, the socket."""

    folder: Path
    sockets: Path
    account: Account

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    def make(self) -> None:
        _make_folder(self.folder, self.account)
        if self.sockets != self.folder:
            _make_folder(self.sockets, self.account)

    def open(self, name: str) -> int:
        """Open a file of the folder for writing, as the account's own even where root asks."""
        opened = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchown(opened, self.account.uid, self.account.gid)
        return opened

    def half_made(self, name: str) -> Path:
        """Make an empty folder to be renamed once it is whole, and remove those that a kill left half made."""
        for left in self.folder.glob(f"{name}-half-*"):
            shutil.rmtree(left, ignore_errors=True)
        half = Path(tempfile.mkdtemp(prefix=f"{name}-half-", dir=self.folder))
        os.chown(half, self.account.uid, self.account.gid)
        return half


def home_of(data: Path) -> Home:
    """Find the home for this data directory: the same answer in every process, whether or not it exists yet."""
    folder = data.resolve()
    account = _account_for(folder)
    if os.geteuid() == 0 and not _is_reachable(folder, account):
        folder = FOR_ROOT / short_name(folder)
    sockets = folder
    if not _holds_a_socket(folder):
        sockets = _FOR_LONG_PATHS / f"billing-router-{account.uid}-{short_name(folder)}"
    return Home(folder, sockets, account)


def _account_for(folder: Path) -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    owner = _nearest_existing(folder).stat().st_uid
    for known in (_user(owner), _user("postgres"), _user("nobody")):
        if known is not None and known.uid != 0:
            return known
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as. "
        "Run this as an ordinary user, or set DATABASE_URL to a PostgreSQL that runs elsewhere.",
    )


def _user(name_or_uid: str | int) -> Account | None:
    try:
        entry = pwd.getpwnam(name_or_uid) if isinstance(name_or_uid, str) else pwd.getpwuid(name_or_uid)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _is_reachable(folder: Path, account: Account) -> bool:
    """Say whether the account may use the folder; one that is still root's is about to be given to it."""
    is_free = not folder.exists() or folder.stat().st_uid in {account.uid, 0}
    return is_free and account.can_enter(_nearest_existing(folder.parent))


def _nearest_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _holds_a_socket(folder: Path) -> bool:
    """Say whether a socket fits here: libpq also reads a comma in a host as the start of the next one."""
    return len(os.fsencode(folder / SOCKET)) <= _MAX_SOCKET_PATH and "," not in os.fspath(folder)


def short_name(text: str | Path) -> str:
    return sha256(os.fsencode(text)).hexdigest()[:16]


def _make_folder(folder: Path, account: Account) -> None:
    """Make the folder the account's own."""
    _make_parents(folder)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)  # so that nobody swaps it meanwhile
    try:
        if os.fstat(opened).st_uid not in {account.uid, os.geteuid()}:
            raise EmbeddedPostgresError(
                f"{folder} belongs to another user, so the embedded PostgreSQL does not use it. "
                "Remove it, or set DATABASE_URL to a PostgreSQL of your own.",
            )
        os.fchown(opened, account.uid, account.gid)
        os.fchmod(opened, 0o700)
    finally:
        os.close(opened)


def _make_parents(folder: Path) -> None:
    """Make what is missing above; where root does, for the account to enter and for the checkout's owner to have."""
    above = _nearest_existing(folder.parent)
    for parent in reversed([path for path in folder.parents if above in path.parents]):
        parent.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            parent.chmod(0o755)
            os.chown(parent, above.stat().st_uid, above.stat().st_gid)
