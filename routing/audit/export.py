"""Writes audit entries as CSV or as lines of JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from routing.audit.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import QuerySet

COLUMNS = [field.attname for field in AuditEntry._meta.concrete_fields]  # noqa: SLF001 (Django's documented API)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With which a spreadsheet takes a text for a formula."""

_CHUNK = 1000


def as_json_lines(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    for row in _rows(entries):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def as_csv(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    yield _csv_line(COLUMNS)
    for row in _rows(entries):
        yield _csv_line([_cell(row[column]) for column in COLUMNS])


FORMATS: dict[str, Callable[[QuerySet[AuditEntry]], Iterator[str]]] = {"jsonl": as_json_lines, "csv": as_csv}


def _rows(entries: QuerySet[AuditEntry]) -> Iterator[dict[str, Any]]:
    for row in entries.values(*COLUMNS).iterator(chunk_size=_CHUNK):
        yield {**row, "id": str(row["id"]), "at": row["at"].isoformat()}


def _cell(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
