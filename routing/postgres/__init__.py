"""The connection pool of the hot statements, beside Django's own connections.

A block holds a connection for one statement or one transaction and gives it back: nothing is held while Stripe is
called. Connections are in autocommit.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from django.db import connections
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from routing.postgres import sessions
from routing.postgres.pools import WAIT_SECONDS, Pool
from routing.postgres.states import State, state_of, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routing.postgres.sessions import Connection

_WAIT_SECONDS = WAIT_SECONDS

_TIMEOUTS = {
    "lock_timeout": "10s",
    "statement_timeout": "15s",  # as long as a payment may take until its first call to Stripe begins
    "idle_in_transaction_session_timeout": "30s",
}
"""Of the hot statements, which take milliseconds."""

_DJANGO_PARAMETERS = ("context", "cursor_factory", "prepare_threshold")

_making = threading.Lock()
"""So that threads that begin together share one pool."""

_last_failure: tuple[float, State] | None = None
"""When a hot statement last failed for a state that only writes show, by this process's monotonic clock."""


@contextmanager
def connection() -> Iterator[Connection]:
    """Lend a connection; raise ``DatabaseUnavailable`` when none can be had, at which point nothing has been done."""
    with _making:
        pool = _pool(os.getpid(), _parameters())
    try:
        lent = pool.getconn()
    except PoolTimeout as error:
        raise (unavailable(error) or error) from error
    try:
        yield lent
    except psycopg.Error as error:
        _note(error)
        raise
    finally:
        pool.putconn(lent)


@contextmanager
def repeatable_read(database: Connection) -> Iterator[None]:
    """Let every statement of the block see the same moment; none of them writes."""
    with database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if database.settings_statement:
            database.execute(database.settings_statement)
        yield


def one_row(statement: LiteralString, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Run a statement and return its first row, if it has one; dictionaries and lists are written as JSON."""
    with connection() as database:
        return database.execute(statement, parameters(values)).fetchone()


def parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as a statement takes them: dictionaries and lists as JSON."""
    return {name: Jsonb(value) if isinstance(value, (dict, list)) else value for name, value in values.items()}


def one_row_with_retry(statement: LiteralString, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Do so for a statement that can be repeated: once more if the connection broke, for its fate is not known then."""
    try:
        return one_row(statement, values)
    except psycopg.OperationalError:
        return one_row(statement, values)


def release_django_connection() -> None:
    """Give back the connection that Django's own reads have taken for this thread, unless it is in a transaction."""
    if not connections["default"].in_atomic_block:
        connections["default"].close()


def failure_within(seconds: float) -> State | None:
    """Return the state that only writes show for which a hot statement failed within the last seconds, if one did."""
    if _last_failure is None or time.monotonic() - _last_failure[0] > seconds:
        return None
    return _last_failure[1]


def close_connections() -> None:
    """Give every connection back to the server, as a test does before its database is dropped."""
    _pool(os.getpid(), _parameters()).close()
    _pool.cache_clear()


def _note(error: psycopg.Error) -> None:
    global _last_failure  # noqa: PLW0603 (what this process knows of its one database)
    state = state_of(error)
    if state is not None and state.only_writes_show:
        _last_failure = (time.monotonic(), state)


def _parameters() -> tuple[tuple[str, Any], ...]:
    """Return everything with which Django itself connects to the database, but for its own classes."""
    given = connections["default"].get_connection_params()
    return tuple((name, value) for name, value in given.items() if name not in _DJANGO_PARAMETERS)


@lru_cache(maxsize=1)
def _pool(_process: int, parameters: tuple[tuple[str, Any], ...]) -> Pool:
    """Make the pool of this process: one that was forked makes its own."""
    given = dict(parameters)
    settings = sessions.session_settings(given.get("options"), _TIMEOUTS)
    pool = Pool(
        {**given, "row_factory": dict_row, "prepare_threshold": None},  # a pooler loses prepared statements
        lambda made: sessions.configure(made, settings),
        wait_seconds=_WAIT_SECONDS,
    )
    pool.open()
    return pool
