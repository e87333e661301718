"""The server before Django: reads bodies, answers probes, and has Django's WSGI application run in lanes of threads.

A thread is taken when the whole request is there. What waits for a thread when its client goes away is dropped.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings

from billing_router import environment_header, wsgi_calls
from billing_router.bodies import Bodies, Disconnected
from billing_router.lanes import lane_name, lanes
from billing_router.wsgi import application as wsgi_application
from billing_router.wsgi_calls import Response
from routing.api.problems import error_body
from routing.errors import BillingError, InvalidRequest, Overloaded
from routing.readiness import probe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future
    from wsgiref.types import WSGIApplication

    from billing_router.bodies import Receive
    from billing_router.lanes import Lane

    Send = Callable[[dict[str, Any]], Awaitable[None]]

_RETRY_AFTER = b"1"
"""Seconds after which a lane that was full may have room."""

logger = logging.getLogger(__name__)


class Worker:
    """The threads of a lane, and how many requests are in it."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._threads = ThreadPoolExecutor(lane.threads, thread_name_prefix=lane.name)
        self._count = 0

    def submit(self, run: Callable[[], Response]) -> Future[Response]:
        """Have a thread run it; raise ``Overloaded`` if too many wait for one. Called by the event loop alone."""
        if self._count >= self.lane.threads + self.lane.queue:
            raise Overloaded("The router has no room for this now. Nothing was done; retry in a moment.")
        self._count += 1
        loop = asyncio.get_running_loop()
        future = self._threads.submit(run)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return future

    def _leave(self) -> None:
        self._count -= 1


class Application:
    def __init__(self, wsgi: WSGIApplication) -> None:
        self._wsgi = wsgi
        self._bodies = Bodies()
        self._workers = {name: Worker(lane) for name, lane in lanes().items()}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"There is nothing at this server for {scope['type']}.")
        try:
            response = await self._respond(scope, receive)
        except Disconnected:
            return
        await _send(response, send, is_head=scope["method"] == "HEAD")

    async def _respond(self, scope: dict[str, Any], receive: Receive) -> Response:
        path = scope["path"]
        if found := probe(path):
            return _response(found.status, "application/json", json.dumps(found.document).encode())
        try:
            return await self._run(scope, receive, lane_name(scope["method"], path))
        except BillingError as error:
            content_type, body = error_body(path, error)
            retry = [(b"retry-after", _RETRY_AFTER)] if error.retry_with_same_key else []
            return _response(error.status, content_type, body, *retry)
        except Disconnected:
            raise
        except Exception:
            logger.exception("The server failed.")
            return _response(500, "text/plain", b"Server error.")

    async def _run(self, scope: dict[str, Any], receive: Receive, lane: str) -> Response:
        arrived = time.monotonic()
        _require_clear_key(scope["headers"])
        worker = self._workers[lane]
        body = await self._bodies.read(receive, max_bytes=worker.lane.max_bytes)
        environ = wsgi_calls.environ(scope, body, arrived)
        run = partial(contextvars.copy_context().run, wsgi_calls.call, self._wsgi, environ)
        return await _result(worker.submit(run), receive)


async def _result(future: Future[Response], receive: Receive) -> Response:
    """Wait for the response; where the client goes before a thread has begun, drop the request."""
    response = asyncio.wrap_future(future)
    gone = asyncio.ensure_future(receive())
    either: set[asyncio.Future[Any]] = {response, gone}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not response.done() and future.cancel():
            raise Disconnected
        return await response
    finally:
        gone.cancel()


def _require_clear_key(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse a key under a name that some servers take for the right one, and that others drop."""
    if any(name == b"idempotency_key" for name, _ in headers):
        raise InvalidRequest("The header Idempotency_Key is not read. Write it with a hyphen: Idempotency-Key.")


def _response(status: int, content_type: str, body: bytes, *headers: tuple[bytes, bytes]) -> Response:
    own = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()), *headers]
    if settings.IS_SANDBOX:
        own.append((environment_header.NAME.lower().encode(), environment_header.VALUE.encode()))
    return Response(status, own, body)


async def _send(response: Response, send: Send, *, is_head: bool) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    await send({"type": "http.response.body", "body": b"" if is_head else response.body})


application = Application(wsgi_application)
