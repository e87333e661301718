"""What goes to the router over HTTP, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; ``path`` is below ``/api/v1``, ``query`` is encoded, ``body`` is JSON."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = None
    idempotency_key: str | None = None

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def headers(self) -> dict[str, str]:
        headers = {} if self.body is None else {"Content-Type": "application/json"}
        return headers if self.idempotency_key is None else {**headers, "Idempotency-Key": self.idempotency_key}


@dataclass(frozen=True, slots=True)
class Step:
    """Wait ``after`` seconds, then send."""

    request: Request
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; the names of ``headers`` are matched in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No whole answer came; ``was_sent`` is false only where it is certain that the request never left."""

    cause: Exception
    was_sent: bool


Reply: TypeAlias = Answer | Lost
