"""Faults on demand: which call is to go wrong, and how."""

from __future__ import annotations

from fnmatch import fnmatchcase
from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "latency",  # waits with the idempotency key in flight, then acts
    "late",  # waits outside, as a request held up in the network, then acts though nobody may be listening
    "reset_before",  # the connection is reset and nothing was done
    "reset_after",  # acts, then resets the connection
    "truncate",  # acts, then sends half of the body that it announced
    "slow_drip",  # acts, then sends the body a few bytes at a time over `seconds`
    "not_json",  # acts, then answers 200 with `body`, a page of HTML unless given
    "another_answer",  # acts, then answers `status` with `body`, as if two answers were mixed up
    "status",  # answers `status`; acts first only with `effect`
]


class Fault(BaseModel):
    """Strike from the ``nth`` matching call on, ``count`` times; ``count`` null strikes until the fault is taken away.

    ``path`` is a pattern with ``*``, for example ``/v1/invoices/*/pay``. With ``effect`` the call is carried out before
    the status is answered; with ``stored`` (by default as ``effect``) that answer is kept under the idempotency key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    method: str = "*"
    path: str = "*"
    nth: int = Field(default=1, ge=1)
    count: int | None = Field(default=1, ge=1)
    seconds: float = Field(default=0, ge=0, le=600)
    status: int = Field(default=500, ge=200, le=599)
    code: str | None = None
    headers: dict[str, str] = {}
    body: str = "<html><body>This is not Stripe.</body></html>"
    effect: bool = False
    stored: bool | None = None

    @property
    def is_stored(self) -> bool:
        return self.effect if self.stored is None else self.stored

    @property
    def comes_before(self) -> bool:
        """Whether the answer is given without looking at the request at all."""
        return self.kind == "reset_before" or (self.kind == "status" and not self.effect and not self.is_stored)

    def matches(self, method: str, path: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)

    def strikes(self, call: int) -> bool:
        """Say whether the ``call``-th matching call, counted from 1, goes wrong."""
        return call >= self.nth and (self.count is None or call < self.nth + self.count)


class Faults:
    """The faults that are set, and how many calls each has seen."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._seen.append((fault, 0))

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()

    def next(self, method: str, path: str) -> Fault | None:
        """Count one call, and return the first fault that strikes it."""
        with self._lock:
            counted = [(fault, seen + fault.matches(method, path)) for fault, seen in self._seen]
            struck = (fault for fault, seen in counted if fault.matches(method, path) and fault.strikes(seen))
            self._seen = counted
            return next(struck, None)
