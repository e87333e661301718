"""How long the caller waits for a response: what nobody waits for any more is not begun."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from routing.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""By this process's monotonic clock; None where the caller has not said how long he waits."""


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """Let the block know when its caller gives up."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def require_time_left() -> None:
    """Raise ``Overloaded`` if the caller has given up by now."""
    deadline = _deadline.get()
    if deadline is not None and time.monotonic() >= deadline:
        raise Overloaded("The router was too busy to begin this while the caller waited. Nothing was done; retry.")
