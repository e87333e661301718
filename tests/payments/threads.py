"""Threads that act at the same moment, and waiting for what other threads and processes do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

WAIT_SECONDS = 30.0


def until(condition: Callable[[], T], what: str = "What the test waits for") -> T:
    """Wait until the condition is true, and return its value."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"{what} did not happen within {WAIT_SECONDS} seconds."
        time.sleep(0.005)
    return value


def closing_connection(call: Callable[P, T]) -> Callable[P, T]:
    """Return the call for a thread of its own: Django's connection of that thread is closed after it."""

    @wraps(call)
    def closing(*args: P.args, **named: P.kwargs) -> T:
        try:
            return call(*args, **named)
        finally:
            connection.close()

    return closing


def at_once(call: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """Call for every item in a thread of its own, all at the same moment, and return what the calls returned."""
    items = list(items)
    barrier = threading.Barrier(len(items))

    @closing_connection
    def call_together(item: Item) -> T:
        barrier.wait()
        return call(item)

    with ThreadPoolExecutor(len(items)) as threads:
        return list(threads.map(call_together, items))
