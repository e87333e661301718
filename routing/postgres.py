"""The connection pool of the hot statements, next to Django's own connections.

A block takes a connection for one statement or one transaction and returns it: none is held while Stripe is called.
Connections are in autocommit mode.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from django.db import connections
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from routing.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Connection = psycopg.Connection[dict[str, Any]]

_POOL_SIZE = 16
_WAIT_SECONDS = 5
"""For a free connection; after that the database is too busy or unavailable, and ``connection`` raises."""

_CONNECTION_PARAMETERS = ("dbname", "user", "password", "host", "port", "sslmode", "sslrootcert")


@contextmanager
def connection() -> Iterator[Connection]:
    """Lend a connection; raise ``DatabaseUnavailable`` if there is none, in which case nothing has been done."""
    pool = _pool(os.getpid(), _parameters())
    try:
        lent = pool.getconn()
    except PoolTimeout:
        raise DatabaseUnavailable("The router's database is unavailable. Nothing was done; try again.") from None
    try:
        yield lent
    finally:
        pool.putconn(lent)


def one_row(statement: LiteralString, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Run a statement and return its first row, if it has one; dictionaries and lists are written as JSON."""
    written = {name: Jsonb(value) if isinstance(value, (dict, list)) else value for name, value in values.items()}
    with connection() as database:
        return database.execute(statement, written).fetchone()


def one_row_with_retry(statement: LiteralString, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Do the same for a statement that is safe to repeat: once more if the connection broke without a result."""
    try:
        return one_row(statement, values)
    except psycopg.OperationalError:
        return one_row(statement, values)


def release_django_connection() -> None:
    """Return the connection that Django's own reads have taken for this thread, unless it is in a transaction."""
    if not connections["default"].in_atomic_block:
        connections["default"].close()


def close_connections() -> None:
    """Close every connection, as tests do before their database is dropped."""
    _pool(os.getpid(), _parameters()).close()
    _pool.cache_clear()


def _parameters() -> tuple[tuple[str, Any], ...]:
    parameters = connections["default"].get_connection_params()
    return tuple((name, parameters[name]) for name in _CONNECTION_PARAMETERS if parameters.get(name))


@lru_cache(maxsize=1)
def _pool(_process: int, parameters: tuple[tuple[str, Any], ...]) -> ConnectionPool[Connection]:
    """Create the pool of this process: a fork creates its own."""
    return ConnectionPool(
        kwargs={
            **dict(parameters),
            "autocommit": True,
            "row_factory": dict_row,
            "prepare_threshold": None,  # a pooler in transaction mode loses prepared statements
        },
        min_size=0,
        max_size=_POOL_SIZE,
        timeout=_WAIT_SECONDS,
        check=ConnectionPool.check_connection,  # a restart of the server causes no error
        open=True,
    )
