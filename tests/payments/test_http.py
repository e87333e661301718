"""Servers that do not behave as Stripe does: a request to one ends in time, and without a response that looks whole."""

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
def serving(respond: Callable[[], Iterable[bytes]]) -> Iterator[str]:
    """Respond to each connection's first request with the chunks that ``respond`` yields, then close it."""
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
                    for chunk in respond():
                        connected.sendall(chunk)
                except OSError:
                    pass  # the client has closed the connection, as it should

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


def one_byte_at_a_time(response: bytes) -> Iterator[bytes]:
    for byte in response:
        time.sleep(0.05)
        yield bytes([byte])


def test_a_response_is_returned_with_its_headers_in_lower_case():
    with serving(lambda: [WHOLE]) as url:
        body, status, headers = post(url)

    assert (body, status, headers["request-id"]) == ("{}", 200, "req_1")


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        pytest.param(b"", WHOLE * 3, id="headers"),
        pytest.param(OK + b"Content-Length: 99\r\n\r\n", b"{" * 99, id="body"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 99, id="length of a chunk"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 5, id="never more than Continue"),
    ],
)
def test_a_response_that_comes_a_byte_at_a_time_is_given_up_at_its_time_limit(at_once, slowly):
    with serving(lambda: chain([at_once], one_byte_at_a_time(slowly))) as url:
        started = time.monotonic()
        with pytest.raises(ResponseLost):
            post(url)
        seconds = time.monotonic() - started

    assert seconds < 5 * RESPONSE_SECONDS


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([], id="nothing"),
        pytest.param([OK + b"Content-Length: 10\r\n\r\n{}"], id="less than announced"),
        pytest.param([OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"], id="half a chunk"),
        pytest.param([OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"], id="not gzip as announced"),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n"], id="another protocol"),
        pytest.param([OK + b"Connection: close\r\n\r\n" + b" " * (MAX_BYTES + 1)], id="too long"),
    ],
)
def test_a_response_that_is_not_whole_is_lost(chunks):
    with serving(lambda: chunks) as url, pytest.raises(ResponseLost):
        post(url)


def test_a_redirect_is_returned_and_not_followed():
    with serving(lambda: [b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"]) as url:
        assert post(url)[:2] == ("", 302)


def test_a_refused_connection_has_sent_nothing():
    with serving(lambda: [WHOLE]) as url:
        pass

    with pytest.raises(NotSent):
        post(url)


def test_the_time_limit_of_one_response_does_not_end_the_next_on_the_same_connection():
    def two_responses() -> Iterator[bytes]:
        yield WHOLE
        time.sleep(3 * RESPONSE_SECONDS)
        yield WHOLE

    with serving(two_responses) as url:
        transport = Transport("", connect_seconds=1)
        transport.send("GET", url, {}, None, response_seconds=RESPONSE_SECONDS)
        time.sleep(1.5 * RESPONSE_SECONDS)

        body, status, _ = transport.send("GET", url, {}, None, response_seconds=5 * RESPONSE_SECONDS)

    assert (body, status) == ("{}", 200)
