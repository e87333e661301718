"""The sandbox's HTTP/1.1 over plain sockets: kept-alive connections, and answers broken on demand."""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_LINE = 65_536  # bytes
_MOST_HEADERS = 100
_LARGEST_BODY = 2_000_000  # bytes
_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are in lowercase."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and how it reaches the client. A ``reset`` sends nothing of it."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Literal["whole", "reset", "truncated", "dripped"] = "whole"
    seconds: float = 0

    def head(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {_reason(self.status)}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            "Server: sandbox (not Stripe)",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], answer: Callable[[Request], Answer]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.answer = answer
        super().__init__(address, _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away in mid-answer is what the sandbox is for."""


class _UnreadableError(Exception):
    """The bytes are not a request; the text says why."""


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while self._answers_one():
            pass

    def _answers_one(self) -> bool:
        """Read one request and answer it; say whether the connection may carry another."""
        try:
            request = self._read()
        except _UnreadableError as error:
            self.connection.sendall(Answer(400, str(error).encode(), "text/plain; charset=utf-8").head())
            return False
        if request is None:
            return False
        if request.headers.get("host", "").rpartition(":")[0] not in _OWN_NAMES:
            answer = Answer(403, b"The sandbox answers to loopback names only.", "text/plain; charset=utf-8")
        else:
            answer = cast("Server", self.server).answer(request)
        return self._send(answer) and request.headers.get("connection", "").lower() != "close"

    def _read(self) -> Request | None:
        line = self.rfile.readline(_LONGEST_LINE)
        if not line:
            return None
        try:
            method, target, version = line.decode("ascii").split()
        except ValueError as error:
            raise _UnreadableError("The request line is not HTTP.") from error
        if version != "HTTP/1.1":
            raise _UnreadableError("The sandbox speaks HTTP/1.1.")
        headers = self._read_headers()
        path, _, query = target.partition("?")
        return Request(method, path, query, headers, self._read_body(headers))

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(_LONGEST_LINE)) not in (b"\r\n", b"\n"):
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(headers) >= _MOST_HEADERS:
                raise _UnreadableError("The headers are not HTTP, or are too many.")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > _LARGEST_BODY:
            raise _UnreadableError(f"Send the body with a Content-Length of up to {_LARGEST_BODY}.")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _UnreadableError("The body is shorter than its Content-Length.")
        return body

    def _send(self, answer: Answer) -> bool:
        if answer.delivery == "reset":
            self._reset()
            return False
        if answer.delivery == "truncated":
            self.connection.sendall(answer.head() + answer.body[: len(answer.body) // 2])
            return False
        if answer.delivery == "dripped":
            self._drip(answer)
            return True
        self.connection.sendall(answer.head() + answer.body)
        return True

    def _drip(self, answer: Answer) -> None:
        pieces = 20
        size = len(answer.body) // pieces + 1
        self.connection.sendall(answer.head())
        for start in range(0, len(answer.body), size):
            time.sleep(answer.seconds / pieces)
            self.connection.sendall(answer.body[start : start + size])

    def _reset(self) -> None:
        """Close so that the client sees a reset (RST) and not an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
