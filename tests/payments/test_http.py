"""Servers that are no Stripe at all: an exchange with one ends in time, and never reads as an answer."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from routing.payments.stripe_api.http import MAX_BYTES, NotSent, ResponseLost, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RESPONSE_SECONDS = 0.6
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 2\r\nRequest-Id: req_1\r\n\r\n{}"


@contextmanager
def serving(answer: Callable[[], Iterable[bytes]]) -> Iterator[str]:
    """Answer each connection's first request with the pieces that ``answer`` yields, then close."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connected, _ = listening.accept()
            except OSError:
                return
            with connected:
                connected.recv(65536)
                try:
                    for piece in answer():
                        connected.sendall(piece)
                except OSError:
                    pass  # the client has hung up, as it should

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/charges"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def post(url: str) -> tuple[str, int, dict[str, str]]:
    transport = Transport("", connect_seconds=1)
    try:
        return transport.send("POST", url, {}, "a=1", response_seconds=RESPONSE_SECONDS)
    finally:
        transport.close()


def dripped(answer: bytes) -> Iterator[bytes]:
    for byte in answer:
        time.sleep(0.05)
        yield bytes([byte])


def test_a_whole_answer_is_returned_with_its_headers_in_small_letters():
    with serving(lambda: [WHOLE]) as url:
        body, status, headers = post(url)

    assert (body, status, headers["request-id"]) == ("{}", 200, "req_1")


@pytest.mark.parametrize(
    ("at_once", "drips"),
    [
        pytest.param(b"", WHOLE * 3, id="headers"),
        pytest.param(OK + b"Content-Length: 99\r\n\r\n", b"{" * 99, id="body"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 99, id="length of a chunk"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 5, id="never more than Continue"),
    ],
)
def test_an_answer_that_drips_is_cut_when_its_time_is_over(at_once, drips):
    with serving(lambda: chain([at_once], dripped(drips))) as url:
        began = time.monotonic()
        with pytest.raises(ResponseLost):
            post(url)
        lasted = time.monotonic() - began

    assert lasted < 5 * RESPONSE_SECONDS


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([], id="nothing"),
        pytest.param([OK + b"Content-Length: 10\r\n\r\n{}"], id="less than announced"),
        pytest.param([OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"], id="half a chunk"),
        pytest.param([OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"], id="not what it is packed as"),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n"], id="another protocol"),
        pytest.param([OK + b"Connection: close\r\n\r\n" + b" " * (MAX_BYTES + 1)], id="too long"),
    ],
)
def test_what_is_not_a_whole_answer_is_none(answer):
    with serving(lambda: answer) as url, pytest.raises(ResponseLost):
        post(url)


def test_a_redirect_is_the_answer_and_is_not_followed():
    with serving(lambda: [b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"]) as url:
        assert post(url)[:2] == ("", 302)


def test_where_nobody_listens_nothing_was_sent():
    with serving(lambda: [WHOLE]) as url:
        pass

    with pytest.raises(NotSent):
        post(url)


def test_an_answer_that_came_in_time_leaves_its_connection_whole_for_the_next():
    def keeps_open() -> Iterator[bytes]:
        yield WHOLE
        time.sleep(3 * RESPONSE_SECONDS)
        yield WHOLE

    with serving(keeps_open) as url:
        transport = Transport("", connect_seconds=1)
        transport.send("GET", url, {}, None, response_seconds=RESPONSE_SECONDS)
        time.sleep(1.5 * RESPONSE_SECONDS)

        body, status, _ = transport.send("GET", url, {}, None, response_seconds=5 * RESPONSE_SECONDS)

    assert (body, status) == ("{}", 200)
