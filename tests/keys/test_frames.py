"""No key lies in a local variable that a collector of errors would copy from the frames of an error."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import threading
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from routing.keys.account_keys import AccountKeys
from routing.keys.baked import BakedSource
from routing.keys.source import Fetched, KeyRef, Refused, Unavailable
from routing.payments.stripe_api import sdk
from routing.payments.stripe_api.http import Transport
from tests.keys.keyrings import vault_at
from tests.keys.openbao import free_port
from tests.payments.test_http import OK, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REF = KeyRef.for_domain("stripe")


def shown(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield what a collector shows of a value: its repr, and of a container or an object what is in it."""
    if depth > 4 or isinstance(value, ModuleType):
        return
    yield repr(value)
    if isinstance(value, dict):
        inside: list[Any] = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inside = list(value)
    else:
        inside = list(getattr(value, "__dict__", {}).values()) if not isinstance(value, (type, FrameType)) else []
    for each in inside[:200]:
        yield from shown(each, depth + 1)


def collected(error: BaseException | None) -> str:
    """Return everything that the frames of the error, and of those behind it, hold."""
    texts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        texts.append(repr(error))
        traceback: TracebackType | None = error.__traceback__
        while traceback:
            if "/tests/" not in traceback.tb_frame.f_code.co_filename:
                texts += shown(dict(traceback.tb_frame.f_locals))
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def error_of(act: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 (whatever it is, its frames are looked at)
        act()
    return raised.value


HTML = OK + b"Content-Length: 6\r\n\r\n<html>"


@pytest.mark.parametrize("response", [(), (HTML,), (b"nonsense",), (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",)])
@pytest.mark.parametrize("identity", ["token", "app role"])
def test_an_error_of_vault_holds_no_credential(response, identity):
    token, secret_id = secrets.token_hex(16), secrets.token_hex(16)
    credentials = (
        {"VAULT_TOKEN": token} if identity == "token" else {"VAULT_ROLE_ID": "router", "VAULT_SECRET_ID": secret_id}
    )
    with serving(lambda: response) as address:
        source = vault_at(address.removesuffix("/v1/charges"), **credentials)
        error = error_of(lambda: source.fetch(REF))

    assert isinstance(error, (Unavailable, Refused))
    assert token not in collected(error)
    assert secret_id not in collected(error)


def test_an_error_over_a_key_that_may_not_be_used_does_not_hold_it():
    key = "sk_test_" + secrets.token_hex(16)

    for act in (
        lambda: AccountKeys.from_fetched(REF, Fetched({"secret_key": key}, "Vault")),
        lambda: BakedSource({"STRIPE_PUBLIC_KEY": key}).fetch(REF),
    ):
        error = error_of(act)
        assert isinstance(error, Refused)
        assert key not in collected(error)


@pytest.fixture
def keys() -> AccountKeys:
    return AccountKeys.from_fetched(REF, Fetched({"secret_key": "rk_live_" + secrets.token_hex(16)}, "a test"))


def test_the_key_is_in_no_frame_of_the_sdk_or_of_the_pool_while_stripe_is_called(keys, settings, monkeypatch):
    """Whatever calls into the transport's connection has no key yet: that alone reveals it."""
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"
    frames: list[str] = []
    send = Transport.send

    def look(self: Transport, *args: Any, **more: Any) -> Any:
        frame: FrameType | None = sys._getframe(1)
        while frame:
            if "/tests/" not in frame.f_code.co_filename and "pytest" not in frame.f_code.co_filename:
                frames.extend(shown(dict(frame.f_locals)))
            frame = frame.f_back
        frames.extend(shown(args))
        return send(self, *args, **more)

    monkeypatch.setattr(Transport, "send", look)
    sdk.send(keys, "get", "/v1/balance", {}, {})

    assert any("Authorization" in text for text in frames)
    assert keys.secret_key.reveal() not in "\n".join(frames)


def test_the_key_reaches_stripe_in_the_header(keys, settings):
    received: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def serve() -> None:
        connected, _ = listening.accept()
        with connected:
            received.append(connected.recv(65536))
            connected.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    sdk.send(keys, "get", "/v1/balance", {}, {})
    thread.join(5)
    listening.close()

    assert f"Authorization: Bearer {keys.secret_key.reveal()}\r\n".encode() in received[0]


def test_an_interrupt_in_the_middle_of_a_call_holds_no_key(keys, settings, monkeypatch):
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(socket, "create_connection", interrupted)
    monkeypatch.setattr("urllib3.util.connection.create_connection", interrupted)
    error = error_of(lambda: sdk.send(keys, "get", "/v1/balance", {}, {}))

    assert isinstance(error, KeyboardInterrupt)
    assert keys.secret_key.reveal() not in collected(error)


def test_vault_is_reached_without_the_environments_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    asked: list[int] = []

    def respond() -> Iterator[bytes]:
        asked.append(1)
        yield HTML

    with serving(respond) as address:
        error = error_of(lambda: vault_at(address.removesuffix("/v1/charges"), VAULT_TOKEN="t").fetch(REF))

    assert "is not Vault" in str(error)
    assert asked == [1]


def test_no_request_has_the_servers_environment():
    """In a process of its own: the application starts its threads when it is imported."""
    look = (
        "import os, billing_router.wsgi; from wsgiref.simple_server import ServerHandler;"
        " print(ServerHandler.os_environ); os._exit(0)"
    )
    shown = subprocess.run([sys.executable, "-uc", look], capture_output=True, text=True, timeout=60, check=True)

    assert shown.stdout.strip() == "{}"
