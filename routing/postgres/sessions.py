"""What the code relies on in a database session, set by the router whatever the defaults of the database are.

On a connection to the server itself the settings are the session's, set once. Behind a pooler such as PgBouncer each
transaction may run in another session, which is shared: there every transaction begins with them, and a statement
outside a transaction gets one of its own.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Iterator, Mapping

_ISOLATION = "default_transaction_isolation"

_REQUIRED = {
    _ISOLATION: "read committed",  # a statement that waited for another's rows sees them as they are then
    "DateStyle": "ISO, MDY",  # the driver reads no other
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
}

_DEFAULT = {"search_path": '"$user", public'}
"""What ``options`` in DATABASE_URL may say otherwise, as it may of each timeout."""

_TRACKED = ("DateStyle", "TimeZone")
"""What a pooler itself keeps for each of its clients."""

_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z][\w.-]*)=((?:\\.|[^\s\\])*)")

_NEEDS_SETTINGS = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
"""Statements that get a transaction of their own behind a pooler; some others cannot run inside one."""


class Connection(psycopg.Connection[Any]):
    """A connection with the time when it was made and last known to work, by this process's monotonic clock.

    ``settings_statement`` sets the session's settings for one transaction; it is empty where they are the session's.
    """

    last_failure: psycopg.Error | None = None
    """Of the last attempt to connect, on the class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.made_at = self.checked_at = time.monotonic()
        self.settings_statement = ""

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Connection:
        try:
            made = super().connect(*args, **kwargs)
        except psycopg.Error as error:
            cls.last_failure = error
            raise
        cls.last_failure = None
        return made

    @property
    def is_read_only(self) -> bool:
        """Whether the server reports a standby or a database that is set to read-only; a pooler's reports are old."""
        reports = (self.pgconn.parameter_status(name) for name in (b"default_transaction_read_only", b"in_hot_standby"))
        return not self.settings_statement and b"on" in reports


def session_settings(options: str | None, defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a session: those the code requires, and ``defaults`` where ``options`` says nothing else.

    ``options`` are the connection's, as in DATABASE_URL: ``-c search_path=billing``.
    """
    given = {
        match[1].lower().replace("-", "_"): re.sub(r"\\(.)", r"\1", match[2])
        for match in _OPTION.finditer(options or os.environ.get("PGOPTIONS", ""))
    }
    changeable = {**_DEFAULT, **defaults}
    return {**{name: given.get(name, value) for name, value in changeable.items()}, **_REQUIRED}


def configure(connection: psycopg.Connection[Any], settings: Mapping[str, str]) -> None:
    """Give a new connection its settings."""
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    cursor = psycopg.Cursor(connection, row_factory=tuple_row)
    if cursor.execute("SELECT pg_backend_pid()").fetchone() == (connection.info.backend_pid,):
        cursor.execute(_set(settings, is_local=False))
        return
    cursor.execute(_set({name: settings[name] for name in _TRACKED}, is_local=False))
    connection.settings_statement = _settings_statement(settings)  # type: ignore[attr-defined]  # this module's class
    connection.cursor_factory = _with_settings(cast("Hashable", connection.cursor_factory), _Settings)


async def configure_async(connection: psycopg.AsyncConnection[Any], settings: Mapping[str, str]) -> None:
    """Give a new connection of the jobs' worker its settings, as ``configure`` does."""
    was_autocommit = connection.autocommit
    await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
    await connection.set_autocommit(True)
    cursor = psycopg.AsyncCursor(connection, row_factory=tuple_row)
    await cursor.execute("SELECT pg_backend_pid()")
    is_direct = await cursor.fetchone() == (connection.info.backend_pid,)
    at_once = settings if is_direct else {name: settings[name] for name in _TRACKED}
    await cursor.execute(_set(at_once, is_local=False))
    await connection.set_autocommit(was_autocommit)
    if not is_direct:
        connection.settings_statement = _settings_statement(settings)  # type: ignore[attr-defined]  # psycopg lets it be added
        connection.cursor_factory = _with_settings(cast("Hashable", connection.cursor_factory), _AsyncSettings)


def _settings_statement(settings: Mapping[str, str]) -> str:
    return _set({name: value for name, value in settings.items() if name != _ISOLATION}, is_local=True)


def _set(settings: Mapping[str, str], *, is_local: bool) -> str:
    calls = [
        sql.SQL("set_config({}, {}, {})").format(name, value, sql.SQL(str(is_local).lower()))
        for name, value in settings.items()
    ]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)).as_string()


@lru_cache
def _with_settings(cursor: Hashable, mixin: type) -> Any:
    return type("CursorWithSettings", (mixin, cursor), {})  # type: ignore[arg-type]  # a class of cursors


class _Settings:
    """A cursor behind a pooler."""

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        with _settings_for(self.connection, query):  # type: ignore[attr-defined]  # the cursor's
            return super().execute(query, *args, **kwargs)  # type: ignore[misc]  # the cursor's

    def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        with _settings_for(self.connection, query):  # type: ignore[attr-defined]  # the cursor's
            return super().executemany(query, *args, **kwargs)  # type: ignore[misc]  # the cursor's


class _AsyncSettings:
    async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        async with _async_settings_for(self.connection, query):  # type: ignore[attr-defined]  # the cursor's
            return await super().execute(query, *args, **kwargs)  # type: ignore[misc]  # the cursor's


@contextmanager
def _settings_for(connection: Connection, query: Any) -> Iterator[None]:
    """Begin the transaction in which the query runs with the settings, unless it has begun."""
    if not _begins_transaction(connection, query):
        yield
        return
    is_of_its_own = connection.autocommit
    begin = _BEGIN if is_of_its_own else ""
    psycopg.Cursor(connection).execute(begin + connection.settings_statement)
    try:
        yield
    except BaseException:
        if is_of_its_own:
            with suppress(psycopg.Error):
                connection.rollback()
        raise
    if is_of_its_own:
        connection.commit()


@asynccontextmanager
async def _async_settings_for(connection: Any, query: Any) -> AsyncIterator[None]:
    """Do as ``_settings_for`` does; the worker's pool ends each transaction itself."""
    if _begins_transaction(connection, query) and not connection.autocommit:
        await psycopg.AsyncCursor(connection).execute(connection.settings_statement)
    yield


def _begins_transaction(connection: Any, query: Any) -> bool:
    if connection.info.transaction_status != TransactionStatus.IDLE:
        return False
    return not connection.autocommit or bool(_NEEDS_SETTINGS.match(_text(query, connection)))


def _text(query: Any, connection: Any) -> str:
    if isinstance(query, bytes):
        return query.decode()
    return query.as_string(connection) if isinstance(query, sql.Composable) else str(query)


_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; "
