"""The delivery of signed events to the account's webhook endpoints, as unordered and repeated as one asks for.

No redirect and no proxy is followed: either could carry an event off the machine.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from queue import SimpleQueue
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox import signing

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.store import Account, Store

_ATTEMPTS = 5
_FIRST_PAUSE = 0.2  # seconds; doubled after each failed attempt
_LONGEST_ANSWER = 10  # seconds
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


@dataclass(frozen=True, slots=True)
class _Delivery:
    account: Account
    endpoint: str
    event: Json
    style: signing.Style
    attempt: int = 1


class Webhooks:
    """One background thread sends ``copies`` of each event, signed in one ``style``; nothing while it is paused."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: SimpleQueue[_Delivery] = SimpleQueue()
        self._running = Event()
        self._running.set()
        self.copies = 1
        self.style: signing.Style = "plain"
        Thread(target=self._deliver_all, name="webhooks", daemon=True).start()

    def send(self, account: Account, events: list[Json]) -> None:
        """Send events to the endpoints that enabled their types."""
        known = self._endpoints(account)
        for event in events:
            for endpoint in (each for each in known if {"*", event["type"]} & set(each["enabled_events"])):
                for _ in range(self.copies):
                    self._queue.put(_Delivery(account, endpoint["id"], event, self.style))

    def send_to_all(self, account: Account, event: Json, style: signing.Style) -> None:
        """Send an event to every endpoint of the account."""
        for endpoint in self._endpoints(account):
            self._queue.put(_Delivery(account, endpoint["id"], event, style))

    def _endpoints(self, account: Account) -> list[Json]:
        with self._store.lock:
            known = [account.objects[identifier] for identifier in account.by_kind.get("webhook_endpoint", ())]
        return [each for each in known if not each.get("deleted")]

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    def _deliver_all(self) -> None:
        while True:
            delivery = self._queue.get()
            self._running.wait()
            with self._store.lock:
                endpoint = delivery.account.objects[delivery.endpoint]
            if endpoint.get("deleted") or self._is_accepted(endpoint, delivery):
                continue
            if delivery.attempt < _ATTEMPTS:
                self._try_later(delivery)

    def _try_later(self, delivery: _Delivery) -> None:
        again = replace(delivery, attempt=delivery.attempt + 1)
        timer = Timer(_FIRST_PAUSE * 2 ** (delivery.attempt - 1), self._queue.put, [again])
        timer.daemon = True
        timer.start()

    def _is_accepted(self, endpoint: Json, delivery: _Delivery) -> bool:
        payload = json.dumps(delivery.event, indent=2)
        to = urlsplit(endpoint["url"])
        connection = HTTPConnection(to.hostname or "", to.port, timeout=_LONGEST_ANSWER)
        with closing(connection):
            try:
                connection.putrequest("POST", f"{to.path or '/'}{f'?{to.query}' if to.query else ''}")
                connection.putheader("Content-Type", "application/json; charset=utf-8")
                connection.putheader("Content-Length", str(len(payload.encode())))
                for value in signing.headers(payload, endpoint["secret"], int(time.time()), delivery.style):
                    connection.putheader("Stripe-Signature", value)
                connection.endheaders(payload.encode())
                return connection.getresponse().status < HTTPStatus.MULTIPLE_CHOICES
            except (OSError, HTTPException):
                return False
