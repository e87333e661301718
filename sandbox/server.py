"""The sandbox put together: the API, its control and its front page behind one loopback address."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from sandbox import front_page
from sandbox.api import Api
from sandbox.control_api import Control
from sandbox.faults import Faults
from sandbox.http import Answer, Request, Server
from sandbox.journal import Journal
from sandbox.request_log import RequestLog
from sandbox.store import Store
from sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    from pathlib import Path


def make_server(host: str, port: int, state: Path | None) -> Server:
    """Return the server, bound but not yet serving. ``port`` 0 takes a free one."""
    if not ip_address(host).is_loopback:
        raise ValueError(f"The sandbox binds to loopback addresses only, and {host} is none. Use 127.0.0.1.")
    store = Store(Journal(state) if state else None)
    faults, log, webhooks = Faults(), RequestLog(), Webhooks(store)
    api = Api(store, faults, webhooks, log)
    control = Control(store, faults, webhooks, log)

    def answer(request: Request) -> Answer:
        if request.path.startswith("/_sandbox/"):
            return control.answer(request)
        if request.path == "/" and request.method == "GET":
            return front_page.answer(store, log)
        if request.path.startswith("/v1/"):
            return api.answer(request)
        return Answer(404, b"There is nothing here. The API is under /v1/.", "text/plain; charset=utf-8")

    return Server((host, port), answer)
