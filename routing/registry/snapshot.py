"""Keeps the process's copy of the routing table current.

Reads see an edit within a second, and nothing is refused on a table that is not current. A charge is never decided by
a stale table: its first statement in the database requires the table's ``stamp`` to be the registry's, and that no
pause is in force, and asks for ``reload()`` otherwise.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from routing.errors import BillingError
from routing.postgres import connection
from routing.registry import rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from routing.registry.table import RoutingTable

_Decided = TypeVar("_Decided")

CHECK_SECONDS = 1.0
"""How long a read may rely on the last check that the table is current."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table, and the times by the database's clock and by this process's own at which it was read."""

    table: RoutingTable
    database_time: datetime
    monotonic: float

    def now(self) -> datetime:
        """Return the time by the database's clock."""
        return self.database_time + timedelta(seconds=time.monotonic() - self.monotonic)


_lock = threading.Lock()
_snapshot: Snapshot | None = None
_checked_at = float("-inf")


def current() -> Snapshot:
    """Return the snapshot, at most a second behind the registry; raise ``RegistryBusy`` if that cannot be checked."""
    snapshot = _snapshot
    if snapshot is not None and time.monotonic() - _checked_at < CHECK_SECONDS:
        return snapshot
    with _lock:
        if _snapshot is not None and time.monotonic() - _checked_at < CHECK_SECONDS:
            return _snapshot
        return _read_if_changed()


def decide(decision: Callable[[Snapshot], _Decided]) -> _Decided:
    """Return what ``decision`` returns for the current snapshot; an error is raised only on a fresh one."""
    snapshot = current()
    try:
        return decision(snapshot)
    except BillingError:
        fresh = reload(snapshot)
        if fresh.table is snapshot.table:
            raise
        return decision(fresh)


def reload(stale: Snapshot) -> Snapshot:
    """Return a snapshot newer than ``stale``, which the database has refused; concurrent callers share one read."""
    with _lock:
        if _snapshot is not None and _snapshot is not stale:
            return _snapshot
        return _read_if_changed()


def _read_if_changed() -> Snapshot:
    global _snapshot, _checked_at  # noqa: PLW0603 (one snapshot a process; that is what this module owns)
    read_at = time.monotonic()
    with connection() as database:
        head = rows.read_head(database)
        table = _snapshot.table if _snapshot else None
        if table is None or head.stamp != table.stamp:
            table = rows.read_table(database)
        elif head.pauses != table.pauses:
            table = replace(table, pauses=head.pauses)
    _snapshot = Snapshot(table, head.now, read_at)
    _checked_at = read_at
    return _snapshot
