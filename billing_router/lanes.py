"""Which threads serve a request, so that what waits for Stripe, or is expensive, holds up nothing else.

Each lane has threads of its own and a queue that is bounded. A request whose lane is full is refused at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from billing_router.environment import CHARGE_THREADS, DEFAULT_CHARGE_THREADS
from routing.api.parsers import MAX_BYTES as API_BYTES
from routing.payments.webhooks.receiving import MAX_BYTES as WEBHOOK_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

_API = "/api/v1/"
_WEBHOOKS = f"{_API}webhooks/"
_RESOLVE = f"{_API}routes/resolve"
_BALANCE = f"{_API}balance"
_DOCUMENTATION = ("/api/schema", "/api/docs")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Lane:
    """``queue`` is how many requests may wait for a thread; ``max_bytes`` how large a body may be."""

    name: str
    threads: int
    queue: int
    max_bytes: int


def lanes(environment: Mapping[str, str] = os.environ) -> dict[str, Lane]:
    """Return every lane by its name."""
    charge_threads = int(environment.get(CHARGE_THREADS, DEFAULT_CHARGE_THREADS))
    page_bytes: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    # Few threads where the processor is what is short: they take turns anyway, and probes with them
    made = (
        Lane("charges", charge_threads, 2 * charge_threads, API_BYTES),
        Lane("reads", 4, 256, API_BYTES),
        Lane("registry", 2, 64, API_BYTES),
        Lane("webhooks", 4, 256, WEBHOOK_BYTES),
        Lane("pages", 4, 128, page_bytes),
        Lane("documentation", 1, 16, API_BYTES),  # it is all work of the processor's
    )
    return {lane.name: lane for lane in made}


def lane_name(method: str, path: str) -> str:
    """Return the lane of a request. What may call Stripe, or is not known, goes with the charges."""
    if path.startswith(_DOCUMENTATION):
        return "documentation"
    if not path.startswith(_API):
        return "pages"
    if path.startswith(_WEBHOOKS):
        return "webhooks"
    if path.startswith(_BALANCE):
        return "charges"
    if method in _READS or path.startswith(_RESOLVE):
        return "reads"
    return "charges" if method == "POST" else "registry"
