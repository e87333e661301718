"""SQL of the router's own on Django's connection, and so in the transaction that Django has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import sql


def database_time() -> datetime:
    """Return the time by the database's clock."""
    [(now,)] = execute("SELECT clock_timestamp()")
    return now  # type: ignore[no-any-return]  # as PostgreSQL has it


def execute(statement: str | sql.Composed, values: Any = None) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows, none where it has none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
    return rows
