"""Calls a WSGI application with a request whose body has been read, and returns its whole response."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from billing_router.request_deadline import ARRIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import WSGIApplication

_HOP_BY_HOP = frozenset({b"connection", b"expect", b"keep-alive", b"te", b"transfer-encoding", b"upgrade"})
"""Of the connection, which the server has dealt with."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def environ(scope: dict[str, Any], body: bytes, arrived: float) -> dict[str, Any]:
    """Return the WSGI environment of an ASGI request.

    A header whose name has an underscore is left out: it would become the same variable as one with a hyphen.
    """
    host, port = scope.get("server") or ("localhost", 0)
    client = scope.get("client") or ("", 0)
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(host),
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        ARRIVED: arrived,
    }
    for name, value in scope["headers"]:
        if b"_" not in name and name not in _HOP_BY_HOP and name != b"content-length":
            _add_header(found, name.decode("latin-1"), value.decode("latin-1"))
    return found


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    variable = name.upper().replace("-", "_")
    if name != "content-type":
        variable = f"HTTP_{variable}"
    if variable in environ:
        value = f"{environ[variable]}{'; ' if name == 'cookie' else ','}{value}"
    environ[variable] = value


def call(application: WSGIApplication, environ: dict[str, Any]) -> Response:
    """Run the application to its end in this thread."""
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:  # noqa: ARG001 (nothing is sent before the end, so that a later start replaces an earlier one)
        started[:] = [status, headers]
        return written.append

    result = application(environ, start_response)
    try:
        written.extend(result)
    finally:
        _close(result)
    status, headers = started
    return Response(
        int(status.split(" ", 1)[0]),
        [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        b"".join(written),
    )


def _close(result: Iterable[bytes]) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        close()
