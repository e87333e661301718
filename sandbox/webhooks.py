"""The delivery of signed events to the account's webhook endpoints, as unordered and repeated as one asks for."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPException
from queue import SimpleQueue
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from sandbox import wheel

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.store import Account, Store

_ATTEMPTS = 5
_FIRST_PAUSE = 0.2  # seconds; doubled after each failed attempt
_LONGEST_ANSWER = 10  # seconds
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: a redirect, like a proxy, could carry the event off the machine."""


_open = build_opener(ProxyHandler({}), _NoRedirect).open


def is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


@dataclass(frozen=True, slots=True)
class _Delivery:
    account: Account
    endpoint: str
    event: Json
    attempt: int = 1


class Webhooks:
    """One background thread sends. ``copies`` are sent of each event; nothing is sent while it is paused."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: SimpleQueue[_Delivery] = SimpleQueue()
        self._running = Event()
        self._running.set()
        self.copies = 1
        Thread(target=self._deliver_all, name="webhooks", daemon=True).start()

    def send(self, account: Account, events: list[Json]) -> None:
        with self._store.lock:
            known = [account.objects[identifier] for identifier in account.by_kind.get("webhook_endpoint", ())]
        for event in events:
            for endpoint in (each for each in known if _wants(each, event["type"])):
                for _ in range(self.copies):
                    self._queue.put(_Delivery(account, endpoint["id"], event))

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
            if endpoint.get("deleted") or self._is_accepted(endpoint, delivery.event):
                continue
            if delivery.attempt < _ATTEMPTS:
                self._try_later(delivery)

    def _try_later(self, delivery: _Delivery) -> None:
        again = replace(delivery, attempt=delivery.attempt + 1)
        timer = Timer(_FIRST_PAUSE * 2 ** (delivery.attempt - 1), self._queue.put, [again])
        timer.daemon = True
        timer.start()

    def _is_accepted(self, endpoint: Json, event: Json) -> bool:
        payload = json.dumps(event, indent=2)
        signed = wheel.signature(payload, endpoint["secret"], int(time.time()))
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signed}
        request = Request(endpoint["url"], payload.encode(), headers, method="POST")  # noqa: S310 (loopback)
        try:
            with _open(request, timeout=_LONGEST_ANSWER) as answer:
                return bool(answer.status < HTTPStatus.MULTIPLE_CHOICES)
        except (OSError, HTTPException):
            return False


def _wants(endpoint: Json, kind: str) -> bool:
    return not endpoint.get("deleted") and bool({"*", kind} & set(endpoint["enabled_events"]))
