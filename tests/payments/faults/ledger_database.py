"""The ledger's database from outside: what it holds, statements held up in it, and time that passes for it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.payments.faults.senders import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PASS = """
UPDATE routing_payment SET
    created_at = created_at - %(by)s, sent_at = sent_at - %(by)s,
    lease_until = lease_until - %(by)s, next_attempt_at = next_attempt_at - %(by)s,
    searches = (SELECT coalesce(jsonb_agg(to_jsonb(at::timestamptz - %(by)s)), '[]')
             FROM jsonb_array_elements_text(searches) AS at)
WHERE settled_at IS NULL
"""

_LET_LEASES_END = """
UPDATE routing_payment
SET lease_until = CASE WHEN lease_until IS NOT NULL THEN '2020-01-01'::timestamptz END, next_attempt_at = '2020-01-01'
WHERE settled_at IS NULL
"""

_LET_EVENTS_BE_DUE = "UPDATE routing_webhookevent SET next_attempt_at = '2020-01-01' WHERE applied_at IS NULL"

_WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event_type = %s AND query LIKE %s
"""

_COPY = "SELECT to_jsonb(r)::text AS json FROM {} AS r"
_PUT_BACK = "INSERT INTO {0} SELECT * FROM jsonb_populate_record(NULL::{0}, %s)"
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

    def rows(self, question: str, *values: Any) -> list[dict[str, Any]]:
        with self._connected() as database:
            return database.execute(question, values).fetchall()

    def execute(self, statement: LiteralString) -> None:
        with self._connected() as database:
            database.execute(statement)

    def payments(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM routing_payment ORDER BY created_at")

    def pass_time(self, seconds: float) -> None:
        """Move what is open back in time, as if it had waited for so long."""
        with self._without_triggers() as database:
            database.execute(_PASS, {"by": timedelta(seconds=seconds)})

    def let_leases_end(self) -> None:
        """Let every lease be over, and every open payment and every event be due."""
        with self._without_triggers() as database:
            database.execute(_LET_LEASES_END)
            database.execute(_LET_EVENTS_BE_DUE)

    @contextmanager
    def held(self, lock: str, *values: Any) -> Iterator[None]:
        """Hold the lock that a statement takes, until the block ends."""
        with psycopg.connect(self.url) as database:
            database.execute(lock, values)
            yield

    def wait_for_statement(self, beginning: str, waits_for: str = "Lock") -> int:
        """Wait until a statement is held up, and return the number of the server's process that runs it."""
        found = until(lambda: self._waiting(beginning, waits_for), f"The wait of {beginning}")
        return int(found[0]["pid"])

    def waiting(self, beginning: str) -> int:
        """Return how many such statements wait for a lock."""
        return len(self._waiting(beginning, "Lock"))

    def roll_back(self, pid: int) -> None:
        """End the server's process in the middle of its statement."""
        self.rows("SELECT pg_terminate_backend(%s, 10000)", pid)

    def wait_until_done(self, pid: int) -> None:
        """Wait until the server's process, whose client is dead, has done its statement and ended."""
        until(lambda: not self.rows("SELECT FROM pg_stat_activity WHERE pid = %s", pid), "The statement's end")

    def copied(self, tables: Sequence[str] = _LEDGER) -> dict[str, list[str]]:
        """Return a copy of the tables, from which they can be restored."""
        return {table: [row["json"] for row in self.rows(_COPY.format(table))] for table in tables}

    def restore(self, copy: dict[str, list[str]]) -> None:
        """Put the tables back to what they were, as from a back-up: what came since is lost."""
        with self._without_triggers() as database:
            for table, found in copy.items():
                database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                database.cursor().executemany(
                    sql.SQL(_PUT_BACK).format(sql.Identifier(table)), [[row] for row in found]
                )

    def _waiting(self, beginning: str, waits_for: str) -> list[dict[str, Any]]:
        return self.rows(_WAITING, waits_for, f"%{beginning}%")

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as database:
            yield database

    @contextmanager
    def _without_triggers(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """Write as a restore does: no trigger of the ledger looks."""
        with psycopg.connect(self.url, row_factory=dict_row) as database:
            database.execute("SET LOCAL session_replication_role = replica")
            yield database
