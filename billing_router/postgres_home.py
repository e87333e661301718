"""Where an embedded PostgreSQL keeps its files, and as which user it runs."""

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
"""Only part of the socket's file name: nothing listens on TCP."""

SOCKET = f".s.PGSQL.{PORT}"

FOR_ROOT = Path("/var/lib/billing-router")
"""Where root puts the data if the server's user cannot reach the checkout."""

_FOR_LONG_PATHS = Path("/tmp")  # noqa: S108 (the same in every process, as TMPDIR is not; owner and mode are checked)
_MAX_SOCKET_PATH = 107
"""Bytes; sockaddr_un holds 108 with the closing zero on Linux."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot run; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user of the server: this process's own, but never root, which PostgreSQL refuses."""

    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may enter the folder, as the kernel says."""
        if os.geteuid() != 0:
            return True  # it is this process, which would get an error of its own
        test = ["test", "-x", os.fspath(folder)]
        tested = subprocess.run(test, user=self.uid, group=self.gid, extra_groups=(), check=False)  # noqa: S603 (a fixed command and a path)
        return tested.returncode == 0


@dataclass(frozen=True, slots=True)
class Home:
    """One server's folder: the cluster, the owner's lock, the log and, if its path is short enough, the socket."""

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
        """Open a file of the folder for writing, which the account owns even if root creates it."""
        opened = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchown(opened, self.account.uid, self.account.gid)
        return opened

    def make_partial(self, name: str) -> Path:
        """Create an empty folder, to be renamed once it is complete; removes those that a killed process left."""
        for left in self.folder.glob(f"{name}-partial-*"):
            shutil.rmtree(left, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{name}-partial-", dir=self.folder))
        os.chown(partial, self.account.uid, self.account.gid)
        return partial


def home_of(data: Path) -> Home:
    """Return the home of this data directory: the same in every process, whether or not it exists yet."""
    folder = data.resolve()
    account = _account_for(folder)
    if os.geteuid() == 0 and not _is_reachable(folder, account):
        folder = FOR_ROOT / short_name(folder)
    sockets = folder
    if not _fits_a_socket(folder):
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
    """Whether the account may use the folder; one that root owns is about to be given to it."""
    is_free = not folder.exists() or folder.stat().st_uid in {account.uid, 0}
    return is_free and account.can_enter(_nearest_existing(folder.parent))


def _nearest_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _fits_a_socket(folder: Path) -> bool:
    """Whether a socket can be here: its path is limited, and libpq takes a comma in a host as a separator."""
    return len(os.fsencode(folder / SOCKET)) <= _MAX_SOCKET_PATH and "," not in os.fspath(folder)


def short_name(text: str | Path) -> str:
    return sha256(os.fsencode(text)).hexdigest()[:16]


def _make_folder(folder: Path, account: Account) -> None:
    """Create the folder, owned by the account."""
    _make_parents(folder)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)  # so that nobody replaces it in the meantime
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
    """Create the missing parents; as root, so that the account can enter them and the checkout's owner owns them."""
    existing = _nearest_existing(folder.parent)
    for parent in reversed([path for path in folder.parents if existing in path.parents]):
        parent.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            parent.chmod(0o755)
            os.chown(parent, existing.stat().st_uid, existing.stat().st_gid)
