"""Whether the process lives, and whether it can decide a charge; known before a probe comes, so that none waits."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg

from routing import integrity, postgres
from routing.errors import BillingError
from routing.postgres.states import BUSY, READ_ONLY, State, state_of
from routing.registry import snapshot

_CHECK_SECONDS = 1.0
_REMEMBERED_SECONDS = 5.0
"""How long a failure of a charge's own statement, such as a full disk, is reported: no check of ours shows it."""

_OLDEST_SECONDS = 15.0
"""Of a check. A database that answers none for so long is not usable."""

_CAN_WRITE = "SELECT current_setting('transaction_read_only') = 'off' AND NOT pg_is_in_recovery() AS can_write"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Probe:
    """The response to a probe."""

    status: HTTPStatus
    document: dict[str, Any]
    cause: str = ""
    """For the log alone: it may name hosts and users."""


HEALTHY = Probe(HTTPStatus.OK, {"status": "ok"})


class Monitor:
    """Checks again and again, in a thread, whether the process is ready."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._checked = time.monotonic()
        self._probe = _not_ready("The server is starting.")
        threading.Thread(target=self._watch, name="readiness", daemon=True).start()

    @property
    def is_of_this_process(self) -> bool:
        """Whether its thread runs here; that of a process which was forked does not."""
        return self._process == os.getpid()

    def probe(self) -> Probe:
        if time.monotonic() - self._checked > _OLDEST_SECONDS:
            return _not_ready("The router's database does not answer.", BUSY)
        return self._probe

    def _watch(self) -> None:
        while True:
            probe = check()
            if probe.status != self._probe.status:
                reason = f": {probe.document['reason']} {probe.cause}" if "reason" in probe.document else "."
                logger.warning("The server is %s%s", probe.document["status"], reason)
            self._probe, self._checked = probe, time.monotonic()
            time.sleep(_CHECK_SECONDS)


_monitor: Monitor | None = None


def monitor() -> None:
    """Keep what ``readiness`` reports up to date from now on."""
    global _monitor  # noqa: PLW0603 (one of a process)
    if _monitor is None or not _monitor.is_of_this_process:
        _monitor = Monitor()


def probe(path: str) -> Probe | None:
    """Return the response to a probe of ``path``; None where it is no probe's."""
    match path:
        case "/healthz":
            return HEALTHY
        case "/readyz":
            return readiness()
        case _:
            return None


def readiness() -> Probe:
    """Report 200 once the registry can be read and payments written, and until then 503 with the reason."""
    if _monitor is None or not _monitor.is_of_this_process:
        return check()
    return _monitor.probe()


def check() -> Probe:
    """Ask the database."""
    try:
        row = postgres.one_row(_CAN_WRITE, {})
        current = snapshot.current()
    except (BillingError, psycopg.Error) as error:
        return _refusal(error)
    if not integrity.may_serve():
        return _not_ready(integrity.REFUSAL)
    if row is None or not row["can_write"]:
        return _not_ready(READ_ONLY.problem, READ_ONLY)
    if failure := postgres.failure_within(_REMEMBERED_SECONDS):
        return _not_ready(failure.problem, failure)
    return Probe(HTTPStatus.OK, {"status": "ready", "registry_version": current.table.version})


def _refusal(error: Exception) -> Probe:
    cause = error.__cause__ or error
    if state := state_of(cause):
        return _not_ready(state.problem, state, str(cause.__cause__ or cause))
    return _not_ready(
        str(error) if isinstance(error, BillingError) else "The router's database failed.", cause=str(cause)
    )


def _not_ready(reason: str, state: State | None = None, cause: str = "") -> Probe:
    document = {"status": "not ready", "reason": reason, "database": state.name if state else None}
    return Probe(HTTPStatus.SERVICE_UNAVAILABLE, document, cause)
