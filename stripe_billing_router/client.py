"""The blocking and the asynchronous client: the same calls, sent in two ways.

Each opens its connections at the first call, and again in a forked process: two processes that share a connection
would read each other's responses.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import time
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar, get_args

import httpx2

from stripe_billing_router import calls, settings
from stripe_billing_router.errors import InvalidRequest, RouterUnavailable
from stripe_billing_router.retries import Backoff, Call, fetch_page
from stripe_billing_router.transport import NoResponse, Request, Response, Result
from stripe_billing_router.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping

    from stripe_billing_router.schemas import Payment, Status
    from stripe_billing_router.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")
H = TypeVar("H", httpx2.Client, httpx2.AsyncClient)

_TIMEOUT = 30.0  # seconds; longer than the router usually waits for Stripe
_WAIT = 60.0  # seconds
_CONNECT_TIMEOUT = 5.0  # seconds; a running router accepts at once
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class _BaseClient:
    """The configuration of both clients, and the HTTP library's options made of it."""

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout: float = _TIMEOUT, wait: float = _WAIT
    ) -> None:
        """Set the router's URL and token, in place of BILLING_ROUTER_URL and BILLING_ROUTER_TOKEN.

        ``timeout``: seconds without any data after which one attempt fails. ``wait``: seconds in which a call is
        retried and an unknown outcome is polled; 0 for a single attempt.
        """
        if timeout <= 0 or wait < 0:
            raise InvalidRequest("timeout must be more than 0 seconds, and wait 0 seconds or more.")
        self._url = url
        self._token = token
        self._timeout = timeout
        self._wait = wait

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client holds a token and cannot be pickled or copied: create one in each process.")

    def _settings(self) -> Settings:
        return settings.read(self._url, self._token)

    def _options(self, current: Settings) -> dict[str, Any]:
        return {
            "base_url": current.base_url,
            "headers": {
                "Authorization": f"Bearer {current.token}",
                "Accept": "application/json",
                "User-Agent": f"stripe-billing-router/{__version__}",
                "X-Request-Timeout": f"{self._timeout:g}",
            },
            "timeout": httpx2.Timeout(self._timeout, connect=min(self._timeout, _CONNECT_TIMEOUT)),
            "follow_redirects": False,
            # A proxy from the environment tunnels https, but could read the token of plain http
            "trust_env": current.base_url.startswith("https:"),
        }


_ENVIRONMENT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
"""What of the environment the HTTP library reads when a client is made."""


def _open(kind: type[H], options: Mapping[str, Any]) -> H:
    """Make the HTTP library's client; raise ``RouterUnavailable`` where this machine's environment does not let it."""
    try:
        return kind(**options)
    except Exception as cause:  # whatever it is, it is about a setting of this machine
        found = [name for name in _ENVIRONMENT if name in os.environ or name.lower() in os.environ]
        raise RouterUnavailable(
            "No connection to the billing router can be made with this machine's settings "
            f"({', '.join(found) or 'of its certificates'}): {type(cause).__name__}. Nothing was sent. "
            "Correct or unset them."
        ) from cause


def _as_method(method: Callable[..., Any], call: Callable[..., Any]) -> None:
    """Give the method the name, docstring and signature of its call, for ``help()`` and type hints at run time."""
    functools.update_wrapper(method, call)
    signature = inspect.signature(call)
    (value,) = get_args(signature.return_annotation)  # of Call[Payment], the method returns the Payment
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    whole = signature.replace(parameters=[this, *signature.parameters.values()], return_annotation=value)
    vars(method).update(__signature__=whole)
    method.__annotations__ = {**call.__annotations__, "return": value}
    del vars(method)["__wrapped__"]  # its signature has no self


def _blocking(call: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._run(call(*args, **kwargs))  # noqa: SLF001 (this is the client's own method)

    _as_method(method, call)
    return method


def _asynchronous(call: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    async def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._run(call(*args, **kwargs))  # noqa: SLF001 (this is the client's own method)

    _as_method(method, call)
    return method


class Client(_BaseClient):
    """Makes the calls of ``calls`` and blocks until they are done. Thread-safe."""

    _connections: tuple[object, httpx2.Client] | None = None

    cancel_subscription = _blocking(calls.cancel_subscription)
    charge = _blocking(calls.charge)
    refund = _blocking(calls.refund)
    create_customer = _blocking(calls.create_customer)
    create_subscription = _blocking(calls.create_subscription)
    create_checkout_session = _blocking(calls.create_checkout_session)
    get_balance = _blocking(calls.get_balance)
    get_change = _blocking(calls.get_change)
    get_payment = _blocking(calls.get_payment)
    list_payments = _blocking(calls.list_payments)
    resolve = _blocking(calls.resolve)
    list_routes = _blocking(calls.list_routes)
    register_route = _blocking(calls.register_route)
    register_override = _blocking(calls.register_override)
    whoami = _blocking(calls.whoami)

    def iter_payments(self, *, status: Status | None = None) -> Iterator[Payment]:
        """Yield the bot's own payments, newest first, and ask for each page when it is needed."""
        request: Request | None = calls.payments_page(status)
        while request is not None:
            page = self._run(Call(request, fetch_page))
            yield from page.items
            request = page.next_request

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        connections, self._connections = self._connections, None
        if connections is not None:
            connections[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, call: Call[T]) -> T:
        http = self._http()
        attempts = call.run(call.request, Backoff(self._wait))
        attempt = next(attempts)
        while True:
            time.sleep(attempt.delay)
            result = self._send(http, attempt.request)
            try:
                attempt = attempts.send(result)
            except StopIteration as end:
                value: T = end.value
                return value

    def _http(self) -> httpx2.Client:
        """Return this process's connections to the router that the settings name now.

        There is no lock: a fork in another thread could leave it locked for ever in the child. Two threads that make
        the first call at once open two, and the one that is not kept is dropped after its call.
        """
        current = self._settings()
        owner = (os.getpid(), current)
        connections = self._connections
        if connections is None or connections[0] != owner:
            connections = self._connections = (owner, _open(httpx2.Client, self._options(current)))
        return connections[1]

    @staticmethod
    def _send(http: httpx2.Client, request: Request) -> Result:
        try:
            response = http.request(request.method, request.target, content=request.body, headers=request.headers)
        except httpx2.RequestError as cause:
            return _no_response(cause)
        return _response(response)


class AsyncClient(_BaseClient):
    """Makes the same calls with ``await``. Any number of asyncio tasks may share one."""

    _connections: tuple[tuple[object, ...], httpx2.AsyncClient] | None = None

    cancel_subscription = _asynchronous(calls.cancel_subscription)
    charge = _asynchronous(calls.charge)
    refund = _asynchronous(calls.refund)
    create_customer = _asynchronous(calls.create_customer)
    create_subscription = _asynchronous(calls.create_subscription)
    create_checkout_session = _asynchronous(calls.create_checkout_session)
    get_balance = _asynchronous(calls.get_balance)
    get_change = _asynchronous(calls.get_change)
    get_payment = _asynchronous(calls.get_payment)
    list_payments = _asynchronous(calls.list_payments)
    resolve = _asynchronous(calls.resolve)
    list_routes = _asynchronous(calls.list_routes)
    register_route = _asynchronous(calls.register_route)
    register_override = _asynchronous(calls.register_override)
    whoami = _asynchronous(calls.whoami)

    async def iter_payments(self, *, status: Status | None = None) -> AsyncIterator[Payment]:
        """Yield the bot's own payments, newest first, and ask for each page when it is needed: ``async for``."""
        request: Request | None = calls.payments_page(status)
        while request is not None:
            page = await self._run(Call(request, fetch_page))
            for payment in page.items:
                yield payment
            request = page.next_request

    async def close(self) -> None:
        """Close the connections of this event loop; a later call opens new ones. Another loop's end with it."""
        connections, self._connections = self._connections, None
        if connections is not None and connections[0][-1] is asyncio.get_running_loop():
            await connections[1].aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, call: Call[T]) -> T:
        http = self._http()
        attempts = call.run(call.request, Backoff(self._wait))
        attempt = next(attempts)
        while True:
            await asyncio.sleep(attempt.delay)
            result = await self._send(http, attempt.request)
            try:
                attempt = attempts.send(result)
            except StopIteration as end:
                value: T = end.value
                return value

    def _http(self) -> httpx2.AsyncClient:
        """Return the connections of this process and event loop; those of another loop cannot be used here."""
        current = self._settings()
        owner = (os.getpid(), current, asyncio.get_running_loop())
        connections = self._connections
        if connections is None or connections[0] != owner:
            connections = self._connections = (owner, _open(httpx2.AsyncClient, self._options(current)))
        return connections[1]

    @staticmethod
    async def _send(http: httpx2.AsyncClient, request: Request) -> Result:
        try:
            response = await http.request(request.method, request.target, content=request.body, headers=request.headers)
        except httpx2.RequestError as cause:
            return _no_response(cause)
        return _response(response)


def _response(response: httpx2.Response) -> Response:
    return Response(response.status_code, response.headers, response.content)


def _no_response(cause: httpx2.RequestError) -> NoResponse:
    return NoResponse(cause, was_sent=not isinstance(cause, _NEVER_SENT))
