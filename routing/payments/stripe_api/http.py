"""HTTP requests to Stripe: each sent once, bounded in time and in size, over connections that are kept."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routing.keys.secret import Secret

MAX_BYTES = 8 * 1024 * 1024
_MAX_IDLE = 64
"""Idle connections that are kept for the next request."""


class NotSent(Exception):  # noqa: N818 (named for what is certain)
    """No connection was made: nothing can have left the process."""


class ResponseLost(Exception):  # noqa: N818 (named for what happened)
    """The request may have been executed, and there is no whole response."""


class Transport:
    """Follows no redirect, obeys no proxy, reads no netrc, and never retries."""

    def __init__(self, ca_certs: str, connect_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._pool = urllib3.PoolManager(maxsize=_MAX_IDLE, retries=False, cert_reqs="CERT_REQUIRED", ca_certs=ca_certs)
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: Any, *, response_seconds: float
    ) -> tuple[str, int, dict[str, str]]:
        """Return body, status and headers, these in lower case; raise ``NotSent`` or ``ResponseLost``.

        ``response_seconds`` is for the whole response, however slowly its headers or its body drip.
        """
        timeout = urllib3.Timeout(connect=self._connect_seconds, read=response_seconds)
        try:
            with _Deadline(response_seconds) as deadline:
                response = self._pool.request(
                    method, url, body=body, headers=headers, redirect=False, preload_content=False, timeout=timeout
                )
                try:
                    text = _read(response).decode("utf-8", "replace")
                finally:
                    response.release_conn()
                deadline.check()
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.NameResolutionError) as error:
            raise NotSent from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ResponseLost from error
        return text, response.status, {name.lower(): value for name, value in response.headers.items()}

    def close(self) -> None:
        self._pool.clear()


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        response.close()
        raise urllib3.exceptions.HTTPError("The response is too long.")
    return body


class _Deadline:
    """Cuts the connection when the time for the response is over.

    A socket's own timeout begins anew with every byte, so that a response may drip for hours.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()

    def start(self, connected: socket.socket) -> None:
        self._timer = threading.Timer(self._seconds, self._cut, [connected])
        self._timer.daemon = True
        self._timer.start()

    def check(self) -> None:
        """Raise an error if the connection was cut: what was read until then may look like a whole response."""
        if self._is_over:
            raise urllib3.exceptions.HTTPError("The response took too long.")

    def _cut(self, connected: socket.socket) -> None:
        self._is_over = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)


_current: ContextVar[_Deadline] = ContextVar("deadline")
"""Of the request that this thread is sending."""


_key: ContextVar[Secret] = ContextVar("key")
"""Of the request that this thread is sending: the connection puts it into the header that it writes."""


@contextlib.contextmanager
def authorized_by(key: Secret) -> Iterator[None]:
    """Send what is sent within with this key, whatever the Authorization header says that is handed in."""
    token = _key.set(key)
    try:
        yield
    finally:
        _key.reset(token)


def _with_key(header: Any, values: tuple[Any, ...]) -> tuple[Any, ...]:
    return (f"Bearer {_key.get().reveal()}",) if header in {"Authorization", b"Authorization"} else values


class _Connection(HTTPConnection):
    def putheader(self, header: Any, *values: Any) -> None:
        super().putheader(header, *_with_key(header, values))

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        _current.get().start(self.sock)
        return super().getresponse()


class _TLSConnection(HTTPSConnection):
    def putheader(self, header: Any, *values: Any) -> None:
        super().putheader(header, *_with_key(header, values))

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        _current.get().start(self.sock)
        return super().getresponse()


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
