"""The ledger's database from outside: its rows, statements that wait for a lock in it, and time that passes for it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.payments.threads import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PASS_TIME = """
UPDATE routing_payment SET
    created_at = created_at - %(by)s, sent_at = sent_at - %(by)s,
    lease_until = lease_until - %(by)s, next_attempt_at = next_attempt_at - %(by)s,
    searches = (SELECT coalesce(jsonb_agg(to_jsonb(at::timestamptz - %(by)s)), '[]')
             FROM jsonb_array_elements_text(searches) AS at)
WHERE settled_at IS NULL
"""

_END_LEASES = """
UPDATE routing_payment
SET lease_until = CASE WHEN lease_until IS NOT NULL THEN '2020-01-01'::timestamptz END, next_attempt_at = '2020-01-01'
WHERE settled_at IS NULL
"""

_MAKE_EVENTS_DUE = "UPDATE routing_webhookevent SET next_attempt_at = '2020-01-01' WHERE applied_at IS NULL"

_WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event_type = %s AND query LIKE %s
"""

_DUMP = "SELECT to_jsonb(r)::text AS json FROM {} AS r"
_RESTORE = "INSERT INTO {0} SELECT * FROM jsonb_populate_record(NULL::{0}, %s)"
_LEDGER = (
    "routing_payment",
    "routing_paymentevent",
    "routing_capusage",
    "routing_capreservation",
    "routing_discrepancy",
    "routing_webhookevent",
    "routing_eventcursor",
)


class LedgerDatabase:
    """Each method commits what it does."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self._connected() as database:
            return database.execute(query, values).fetchall()

    def execute(self, statement: LiteralString) -> None:
        with self._connected() as database:
            database.execute(statement)

    def payments(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM routing_payment ORDER BY created_at")

    def pass_time(self, seconds: float) -> None:
        """Move the open payments back in time, as if they had waited for so long."""
        with self._without_triggers() as database:
            database.execute(_PASS_TIME, {"by": timedelta(seconds=seconds)})

    def end_leases(self) -> None:
        """End every lease, and make every open payment and every event due."""
        with self._without_triggers() as database:
            database.execute(_END_LEASES)
            database.execute(_MAKE_EVENTS_DUE)

    @contextmanager
    def locked(self, lock: str, *values: Any) -> Iterator[None]:
        """Hold the lock that the statement ``lock`` takes, until the block ends."""
        with psycopg.connect(self.url) as database:
            database.execute(lock, values)
            yield

    def wait_for_statement(self, text: str, waits_for: str = "Lock") -> int:
        """Wait until a statement with the text waits itself, and return the pid of the backend that executes it."""
        waiting = until(lambda: self._waiting(text, waits_for), f"The wait of {text}")
        return int(waiting[0]["pid"])

    def count_waiting(self, text: str) -> int:
        """Return how many statements with the text wait for a lock."""
        return len(self._waiting(text, "Lock"))

    def terminate(self, pid: int) -> None:
        """Terminate the backend, so that its statement is rolled back."""
        self.rows("SELECT pg_terminate_backend(%s, 10000)", pid)

    def wait_until_ended(self, pid: int) -> None:
        """Wait until the backend, whose client is dead, has finished its statement and ended."""
        until(lambda: not self.rows("SELECT FROM pg_stat_activity WHERE pid = %s", pid), "The end of the statement")

    def dump(self, tables: Sequence[str] = _LEDGER) -> dict[str, list[str]]:
        """Return the rows of each table, from which they can be restored."""
        return {table: [row["json"] for row in self.rows(_DUMP.format(table))] for table in tables}

    def restore(self, dump: dict[str, list[str]]) -> None:
        """Restore the tables; rows that were added since the dump are lost."""
        with self._without_triggers() as database:
            for table, rows in dump.items():
                database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                database.cursor().executemany(sql.SQL(_RESTORE).format(sql.Identifier(table)), [[row] for row in rows])

    def _waiting(self, text: str, waits_for: str) -> list[dict[str, Any]]:
        return self.rows(_WAITING, waits_for, f"%{text}%")

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as database:
            yield database

    @contextmanager
    def _without_triggers(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """Write as a restore does, past the ledger's triggers."""
        with psycopg.connect(self.url, row_factory=dict_row) as database:
            database.execute("SET LOCAL session_replication_role = replica")
            yield database
