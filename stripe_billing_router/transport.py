"""One HTTP request to the router, and what comes of it."""

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
class Response:
    """One HTTP response; the names in ``headers`` are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoResponse:
    """No complete response arrived; ``was_sent`` is false only where the request certainly never left."""

    cause: Exception
    was_sent: bool


Result: TypeAlias = Response | NoResponse
