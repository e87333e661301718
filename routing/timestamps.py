"""Times as JSON and YAML write them: ISO 8601, in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from datetime import datetime


@overload
def to_iso(time: datetime) -> str: ...
@overload
def to_iso(time: None) -> None: ...
def to_iso(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
