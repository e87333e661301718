"""Reads a request's body whole, within bounds of size and time, before anything else is done for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from routing.errors import Overloaded, RequestIncomplete, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]

BODY_SECONDS = 10.0
"""In which a body must have arrived."""

_MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""Of all bodies that a process is reading."""

_MAX_DISCARDED_BYTES = 8 * 1024 * 1024
"""Of a body that is too large: a client that is still sending does not read the response."""


class Disconnected(Exception):  # noqa: N818 (named for what happened)
    """The client is gone."""


class Bodies:
    """Reads bodies for one process."""

    def __init__(self) -> None:
        self._total = 0

    async def read(self, receive: Receive, *, max_bytes: int, seconds: float = BODY_SECONDS) -> bytes:
        """Return the body; raise ``RequestTooLarge``, ``RequestIncomplete``, ``Overloaded`` or ``Disconnected``."""
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(seconds):
                await self._read(receive, parts, max_bytes)
        except TimeoutError:
            raise RequestIncomplete(
                f"The body of the request did not arrive within {seconds:.0f} seconds. Nothing was done; retry."
            ) from None
        finally:
            self._total -= sum(map(len, parts))
        return b"".join(parts)

    async def _read(self, receive: Receive, parts: list[bytes], max_bytes: int) -> None:
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part, more = message.get("body", b""), message.get("more_body", False)
            length += len(part)
            if length > max_bytes + _MAX_DISCARDED_BYTES:
                break
            if length <= max_bytes:
                self._total += len(part)
                parts.append(part)
            if self._total > _MAX_TOTAL_BYTES:
                raise Overloaded("The router is reading too many bodies. Nothing was done; retry in a moment.")
        if length > max_bytes:
            raise RequestTooLarge(f"The body is larger than {max_bytes // 1024} KiB. Send less.")
