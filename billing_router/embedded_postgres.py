"""The PostgreSQL of a first run: where it listens, and which of the processes that use it runs it.

The process with the lock on the home's ``owner.lock`` runs the server. The others use it and keep trying to get the
lock, so that one of them restarts the server when the owner has ended, and the server with it. (On systems other than
Linux, the server of an owner that was killed keeps running until the next owner stops it.) While initdb creates a
cluster, it has the lock as well.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from billing_router import postgres_server
from billing_router.postgres_home import PORT, EmbeddedPostgresError, home_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from billing_router.postgres_home import Home

__all__ = ["Address", "EmbeddedPostgresError", "address", "running"]

_LOG = logging.getLogger(__name__)
_PAUSE = 0.05
"""Seconds between checks of the lock and the server."""

_RETRY_PAUSE = 1.0
"""Seconds before the next attempt at a restart that failed, while others use the server."""


@dataclass(frozen=True, slots=True)
class Address:
    socket_directory: str
    port: str

    @property
    def url(self) -> str:
        """A URL for libpq and ``DATABASE_URL``, with the socket's directory in place of the host."""
        host = quote(os.fsencode(self.socket_directory), safe="")
        return f"postgresql://{postgres_server.ROLE}@{host}:{self.port}/{postgres_server.DATABASE}"


def address(data: Path) -> Address:
    """Return where the server of this data directory listens, or would; nothing is started."""
    return _address_of(home_of(data))


@contextmanager
def running(data: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[Address]:
    """Keep a server for this data directory running while the block runs, started here or by another process.

    ``settings`` are PostgreSQL's own, used if this process starts the server. Raises ``EmbeddedPostgresError``, a
    ``RuntimeError``, if there is no server.
    """
    with ExitStack() as stack:
        try:
            home = home_of(data)
            home.make()
            thread = _ServerThread(home, settings or {})
            thread.start()
            stack.callback(thread.close)
            thread.wait_until_serving()
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot use {data}: {error}. "
                "Fix that, or set DATABASE_URL to a PostgreSQL of your own.",
            ) from error
        yield _address_of(home)


def _address_of(home: Home) -> Address:
    return Address(os.fspath(home.sockets), PORT)


class _ServerThread(threading.Thread):
    """Waits for the owner lock, then keeps the server running until it is closed.

    One thread does everything while the block runs: Linux stops the server with the thread that started it.
    """

    def __init__(self, home: Home, settings: Mapping[str, str]) -> None:
        super().__init__(name="embedded-postgres", daemon=True)
        self._home = home
        self._settings = settings
        self._lock = os.fdopen(home.open("owner.lock"), "r+")
        self._closing = threading.Event()
        self._serving = threading.Event()
        self._is_sharing = False
        self._failure: Exception | None = None

    def run(self) -> None:
        _LOCKS.add(self._lock)
        try:
            if self._acquire_lock():
                self._run_server()
        except Exception as error:  # noqa: BLE001 (raised again in the thread that waits)
            self._failure = error
        finally:
            _LOCKS.discard(self._lock)
            self._lock.close()

    def wait_until_serving(self) -> None:
        give_up_at = time.monotonic() + postgres_server.START_SECONDS
        while not self._serving.wait(_PAUSE):
            if self._failure is not None:
                raise self._failure
            if self._is_sharing and postgres_server.is_serving(self._home):
                self._serving.set()
            elif self._is_sharing and time.monotonic() > give_up_at:
                raise EmbeddedPostgresError(
                    f"Another process uses {self._home.folder}, but its PostgreSQL does not respond. "
                    "Stop that process and try again, or set DATABASE_URL.",
                )

    def close(self) -> None:
        self._closing.set()
        self.join()

    def _acquire_lock(self) -> bool:
        while not _try_lock(self._lock):
            self._is_sharing = True
            if self._closing.wait(_PAUSE):
                return False
        self._is_sharing = False
        return True

    def _run_server(self) -> None:
        while not self._closing.is_set():
            try:
                server = postgres_server.start(self._home, self._settings, self._lock)
            except (EmbeddedPostgresError, OSError) as error:
                if not self._serving.is_set():
                    raise
                _LOG.error("%s", error)
                self._closing.wait(_RETRY_PAUSE)
                continue
            self._serving.set()
            while server.poll() is None and not self._closing.wait(_PAUSE):
                pass
            postgres_server.stop(server)


def _try_lock(lock: IO[str]) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


_LOCKS: set[IO[str]] = set()


def _close_locks_after_fork() -> None:
    """Close a forked child's copies: it would keep a lock whose owner has ended."""
    for lock in _LOCKS:
        lock.close()


os.register_at_fork(after_in_child=_close_locks_after_fork)
