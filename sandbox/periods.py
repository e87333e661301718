"""When a billing period ends: months and years keep their day, as far as the month has it."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta


def later(start: int, interval: str, count: int) -> int:
    """Return the time ``count`` intervals (day, week, month, year) after ``start``."""
    at = datetime.fromtimestamp(start, UTC)
    if interval in ("day", "week"):
        return int((at + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = at.month - 1 + count * (12 if interval == "year" else 1)
    year, month = at.year + months // 12, months % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())


def end_after(anchor: int, at: int, interval: str, count: int) -> int:
    """Return the first end of a period after ``at``. They count from ``anchor``: 31 January, 28 February, 31 March."""
    passed = 1
    while later(anchor, interval, count * passed) <= at:
        passed += 1
    return later(anchor, interval, count * passed)
