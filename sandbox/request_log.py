"""The requests that the sandbox received, for tests and people to read. No Authorization header is ever in it."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

_MOST = 20_000  # requests remembered


@dataclass(slots=True)
class LoggedRequest:
    """``status`` is None while the request runs, and 0 when the connection was reset instead of answered."""

    request_id: str
    at: float
    method: str
    path: str
    idempotency_key: str | None
    stripe_version: str | None
    params: dict[str, Any] | None = None
    account: str | None = None
    status: int | None = None
    replayed: bool = False
    fault: str | None = None


class RequestLog:
    def __init__(self) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=_MOST)

    def add(self, request: LoggedRequest) -> None:
        self._requests.append(request)

    def clear(self) -> None:
        self._requests.clear()

    def oldest_first(self, latest: int = _MOST) -> list[dict[str, Any]]:
        """Return the ``latest`` requests."""
        return [asdict(request) for request in list(self._requests)[-latest:]]
