"""Who acts: whom the audit log names for a change, and by which road it came.

A request, a command or a job says so once, with ``acting``; every statement of it that writes through Django tells the
database, for the time of its transaction. What changes the database otherwise is named by its database role.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTING = "billing_router.acting"
"""The setting of a transaction in which the triggers read it, as JSON."""

_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH|TRUNCATE)\b", re.IGNORECASE)


class Person(NamedTuple):
    """A user. The number stays when he is renamed, and the name when he gets another account: either is he."""

    name: str
    id: int

    def is_same_as(self, name: str, number: int | None) -> bool:
        return self.id == number or self.name == name


@dataclass(slots=True)
class Acting:
    """``actor_id`` is that of a user, who can be renamed; a token or a command has none."""

    road: str
    actor: str = ""
    actor_id: int | None = None
    request_id: str = ""
    reason: str = ""


_acting: ContextVar[Callable[[], Acting] | None] = ContextVar("acting", default=None)


@contextmanager
def acting(who: Callable[[], Acting]) -> Iterator[None]:
    """Name ``who()`` for what is changed within; it is asked when the first change is made."""
    token = _acting.set(who)
    try:
        yield
    finally:
        _acting.reset(token)


def current() -> Acting | None:
    """Return who acts in this thread or task; None where nobody has said so."""
    who = _acting.get()
    return who() if who else None


def tell_the_database(execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: dict[str, Any]) -> Any:
    """Run a statement; one that writes runs in a transaction that knows who acts. A wrapper as Django has them."""
    if not isinstance(sql, str) or not _WRITES.match(sql) or (who := current()) is None:
        return execute(sql, params, many, context)
    database = context["connection"]
    with nullcontext() if database.in_atomic_block else transaction.atomic(database.alias):
        with database.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, json.dumps(asdict(who))])
        return execute(sql, params, many, context)


def wrap_statements(connection: Any, **_signal: Any) -> None:
    """Have a new connection of Django's tell the database who acts."""
    if tell_the_database not in connection.execute_wrappers:
        connection.execute_wrappers.append(tell_the_database)
