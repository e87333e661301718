"""The states of the database in which a call cannot be served now, and may be retried: a closed list."""

from __future__ import annotations

import re
from dataclasses import dataclass

import django.db
import psycopg
from psycopg_pool import PoolTimeout

from routing.errors import DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class State:
    """``name`` is how ``/readyz`` reports it, ``problem`` what callers are told.

    ``rolls_back`` says that the server itself refused the statement, so that it is certain that nothing was written.
    ``only_writes_show`` says that a database in this state may answer every question of a health check.
    """

    name: str
    problem: str
    rolls_back: bool = False
    only_writes_show: bool = False


UNREACHABLE = State("unreachable", "The router's database cannot be reached.")
BUSY = State("busy", "Every connection to the router's database is in use.", rolls_back=True)
READ_ONLY = State("read_only", "The router's database is read-only.", rolls_back=True)
_FULL = State("too_many_connections", "The router's database accepts no more connections.", rolls_back=True)
_SHUTTING_DOWN = State("shutting_down", "The router's database is shutting down, starting or recovering.")
_DISK_FULL = State("disk_full", "The disk of the router's database is full.", rolls_back=True, only_writes_show=True)
_OUT_OF_MEMORY = State("out_of_memory", "The router's database is out of memory.", True, only_writes_show=True)
_OUT_OF_RESOURCES = State("out_of_resources", "The router's database is out of resources.", True, True)
_INPUT_OUTPUT = State("io_error", "The router's database cannot use its files.", only_writes_show=True)
_LOCKED = State("lock_timeout", "The router's database waited too long for a lock.", rolls_back=True)
_TIMED_OUT = State("statement_timeout", "The router's database took too long.", rolls_back=True)
_CONFLICT = State("conflict", "Another transaction changed the same rows.", rolls_back=True)

_BY_SQLSTATE = {
    "08": UNREACHABLE,  # connection exceptions, also a pooler's
    "25006": READ_ONLY,
    "25P03": _TIMED_OUT,  # idle in a transaction
    "25P04": _TIMED_OUT,  # the transaction as a whole
    "40001": _CONFLICT,  # serialization failure
    "40P01": _CONFLICT,  # deadlock
    "53": _OUT_OF_RESOURCES,
    "53100": _DISK_FULL,
    "53200": _OUT_OF_MEMORY,
    "53300": _FULL,
    "55P03": _LOCKED,
    "57014": _TIMED_OUT,  # canceled, by a timeout or by an administrator
    "57P": _SHUTTING_DOWN,  # each of its codes ends the session
    "58": _INPUT_OUTPUT,
}
"""By SQLSTATE, or by what it begins with. https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_REFUSED_CONNECTIONS = (
    (re.compile("too many (connections|clients)|remaining connection slots|no more connections"), _FULL),
    (re.compile("starting up|shutting down|in recovery|not yet accepting|not accepting"), _SHUTTING_DOWN),
)
"""What the server says where it refuses a connection, for which the client library has no SQLSTATE."""


def state_of(error: BaseException) -> State | None:
    """Return the state that caused ``error``, the driver's or Django's; None where it is an error of another kind."""
    cause = error.__cause__ if isinstance(error, django.db.Error) and error.__cause__ else error
    if isinstance(cause, PoolTimeout):
        return state_of(cause.__cause__) if cause.__cause__ else BUSY
    if isinstance(cause, psycopg.Error) and cause.sqlstate:
        return next((_BY_SQLSTATE[code] for code in _prefixes(cause.sqlstate) if code in _BY_SQLSTATE), None)
    if isinstance(cause, (psycopg.OperationalError, django.db.OperationalError)):
        return next((state for words, state in _REFUSED_CONNECTIONS if words.search(str(cause))), UNREACHABLE)
    return None


def unavailable(error: BaseException, *, nothing_was_written: bool = False) -> DatabaseUnavailable | None:
    """Return the error that a caller is told; None where a retry does not help."""
    state = state_of(error)
    if state is None:
        return None
    certain = " Nothing was written." if nothing_was_written or state.rolls_back else ""
    return DatabaseUnavailable(f"{state.problem}{certain} Retry with the same key.")


def _prefixes(sqlstate: str) -> tuple[str, ...]:
    return sqlstate, sqlstate[:3], sqlstate[:2]
