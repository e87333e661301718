"""A router that answers by script over real sockets, and both clients that speak to it."""

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from stripe_billing_router import AsyncClient, Client

WAIT = 3.0  # seconds


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int


@dataclass(frozen=True)
class Reply:
    """What the script says to one request; ``status`` 0 drops the connection instead."""

    status: int
    body: bytes
    headers: dict[str, str]
    delay: float = 0.0


@dataclass
class ScriptedRouter:
    """Answers each request with the next line of the script, the last one for ever."""

    script: list[Reply] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    url: str = ""

    def says(self, status: int, body: Any = None, *, delay: float = 0.0, **headers: str) -> Self:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.script.append(Reply(status, content, {name.replace("_", "-"): of for name, of in headers.items()}, delay))
        return self

    def refuses(self, status: int, code: str, *, retry_after: str | None = None, **problem: Any) -> Self:
        body = {"type": "about:blank", "title": code, "status": status, "detail": f"It is {code}.", "code": code}
        headers = {"Content_Type": "application/problem+json"} | ({"Retry_After": retry_after} if retry_after else {})
        return self.says(status, body | problem, **headers)

    def drops(self) -> Self:
        return self.says(0)

    def next_reply(self) -> Reply:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    router: ScriptedRouter

    def _reply(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        connection = self.client_address[1]
        self.router.received.append(Received(self.command, self.path, dict(self.headers), body, connection))
        reply = self.router.next_reply()
        time.sleep(reply.delay)
        if reply.status == 0:
            self.close_connection = True
            return
        with suppress(ConnectionError):  # the client that stopped waiting is gone
            self.send_response(reply.status)
            for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = _reply  # noqa: N815 (the names that http.server calls)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def _served() -> Iterator[ScriptedRouter]:
    router = ScriptedRouter()
    handler = type("ScriptedHandler", (Handler,), {"router": router})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        router.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield router
        server.shutdown()
        thread.join()


@pytest.fixture
def router() -> Iterator[ScriptedRouter]:
    yield from _served()


@pytest.fixture
def elsewhere() -> Iterator[ScriptedRouter]:
    """Another server, to which nothing may go."""
    yield from _served()


@pytest.fixture
def token() -> str:
    return secrets.token_urlsafe(24)


@pytest.fixture
def configured(router: ScriptedRouter, token: str, monkeypatch: pytest.MonkeyPatch) -> ScriptedRouter:
    monkeypatch.setenv("BILLING_ROUTER_URL", router.url)
    monkeypatch.setenv("BILLING_ROUTER_TOKEN", token)
    return router


@pytest.fixture(params=["blocking", "asynchronous"])
def call(request: pytest.FixtureRequest, router: ScriptedRouter, token: str) -> Callable[..., Any]:
    """Make a call by its name with either client."""
    kind = request.param

    def carry_out(name: str, *args: Any, wait: float = WAIT, timeout: float = 5.0, **fields: Any) -> Any:
        if kind == "blocking":
            with Client(router.url, token, timeout=timeout, wait=wait) as client:
                return getattr(client, name)(*args, **fields)

        async def awaited() -> Any:
            async with AsyncClient(router.url, token, timeout=timeout, wait=wait) as client:
                return await getattr(client, name)(*args, **fields)

        return asyncio.run(awaited())

    return carry_out


@pytest.fixture
def payment() -> Callable[..., dict[str, Any]]:
    def made(status: str = "succeeded", **fields: Any) -> dict[str, Any]:
        return {
            "id": "pay_1",
            "kind": "charge",
            "status": status,
            "bot": "finance:finance_router_bot",
            "amount": "10.00",
            "currency": "usd",
            "error": None,
        } | fields

    return made
