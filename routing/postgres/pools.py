"""Pools of connections of which none is given out that was cut, or that cannot write although the database can."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from routing.postgres.sessions import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_CONNECTIONS = 16
"""Of one pool. None is held while Stripe is called, so that many more calls than this share them."""

WAIT_SECONDS = 5.0
"""For a free connection; then the database is too busy or gone, and the caller is told so."""

CONNECTION_DEFAULTS: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
    "fallback_application_name": "billing-router",
}
"""What DATABASE_URL may say otherwise. A server that is gone without a word is noticed in half a minute."""

_UNUSED_SECONDS = 30.0
"""After which a connection is asked whether it still works; until then it is enough that nothing has arrived on it."""

_READ_ONLY_SECONDS = 2.0
"""For which a read-only connection is used. A new one shows whether the database can write by now."""


class Pool(ConnectionPool[Connection]):
    def __init__(
        self, parameters: Mapping[str, Any], configure: Callable[[Connection], Any], *, wait_seconds: float
    ) -> None:
        super().__init__(
            kwargs={**parameters, "autocommit": True},
            connection_class=Connection,
            configure=configure,
            check=self._require_usable,
            min_size=0,
            max_size=MAX_CONNECTIONS,
            timeout=wait_seconds,
            reconnect_timeout=WAIT_SECONDS,  # then the next caller begins anew, at the shortest interval
            open=False,
        )

    def getconn(self, timeout: float | None = None) -> Connection:
        """Lend a connection; ``PoolTimeout`` has as its cause why none could be made, if that is the reason."""
        try:
            return super().getconn(timeout)
        except PoolTimeout as error:
            raise error from Connection.last_failure

    def _require_usable(self, connection: Connection) -> None:
        """Close and refuse a connection that is not usable, and every other that is as old."""
        try:
            if time.monotonic() - connection.checked_at > _UNUSED_SECONDS or _has_input(connection):
                self.check_connection(connection)
            if connection.is_read_only and time.monotonic() - connection.made_at > _READ_ONLY_SECONDS:
                raise psycopg.OperationalError("The connection is read-only.")
        except psycopg.Error:
            connection.close()
            self.drain()
            raise
        connection.checked_at = time.monotonic()


def _has_input(connection: Connection) -> bool:
    """Say whether the server has sent something, as it does when it ends the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
