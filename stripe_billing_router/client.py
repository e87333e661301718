"""The two clients, blocking and asynchronous: they carry out the same calls and differ only in how they wait.

Each opens its connections at the first call, and again in a process that was forked: a connection shared by two
processes would mix their answers.
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
from stripe_billing_router.conversation import Call, Patience
from stripe_billing_router.errors import InvalidRequest
from stripe_billing_router.wire import Answer, Lost, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from stripe_billing_router.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_TIMEOUT = 30.0  # seconds; longer than a usual call of the router to Stripe
_WAIT = 60.0  # seconds
_CONNECT_TIMEOUT = 5.0  # seconds; a router that runs accepts at once
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class _Configured:
    """What both clients are told, and what they tell the HTTP library."""

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout: float = _TIMEOUT, wait: float = _WAIT
    ) -> None:
        """Take the router's address and token, else BILLING_ROUTER_URL and BILLING_ROUTER_TOKEN at the first call.

        ``timeout``: seconds for which one attempt may be silent. ``wait``: seconds in which further attempts begin,
        and for which an open outcome is waited out; 0 for a single attempt.
        """
        if timeout <= 0 or wait < 0:
            raise InvalidRequest("timeout must be more than 0 seconds, and wait 0 seconds or more.")
        self._url = url
        self._token = token
        self._timeout = timeout
        self._wait = wait

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client holds a token and is not pickled or copied: make one in each process.")

    def _settings(self) -> Settings:
        return settings.read(self._url, self._token)

    def _options(self, where: Settings) -> dict[str, Any]:
        return {
            "base_url": where.base,
            "headers": {
                "Authorization": f"Bearer {where.token}",
                "Accept": "application/json",
                "User-Agent": "stripe-billing-router",
            },
            "timeout": httpx2.Timeout(self._timeout, connect=min(self._timeout, _CONNECT_TIMEOUT)),
            "follow_redirects": False,
            # A proxy of the environment tunnels https, but would read the token of plain http.
            "trust_env": where.base.startswith("https:"),
        }


def _as_method(method: Callable[..., Any], call: Callable[..., Any]) -> None:
    """Give the method the name, docstring and parameters of its call, for ``help()`` and for tools that read them."""
    functools.update_wrapper(method, call)
    signature = inspect.signature(call)
    (value,) = get_args(signature.return_annotation)  # Call[Payment] is carried out to a Payment
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    whole = signature.replace(parameters=[this, *signature.parameters.values()], return_annotation=value)
    vars(method).update(__signature__=whole)
    method.__annotations__ = {**call.__annotations__, "return": value}
    del vars(method)["__wrapped__"]  # its signature has no self


def _blocking(call: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._carry_out(call(*args, **kwargs))  # noqa: SLF001 (this is the client's own method)

    _as_method(method, call)
    return method


def _awaited(call: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    async def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._carry_out(call(*args, **kwargs))  # noqa: SLF001 (this is the client's own method)

    _as_method(method, call)
    return method


class Client(_Configured):
    """Makes the calls of ``calls`` and waits for their answers. One serves any number of threads."""

    _opened: tuple[object, httpx2.Client] | None = None

    charge = _blocking(calls.charge)
    refund = _blocking(calls.refund)
    create_customer = _blocking(calls.create_customer)
    create_subscription = _blocking(calls.create_subscription)
    create_checkout_session = _blocking(calls.create_checkout_session)
    get_balance = _blocking(calls.get_balance)
    get_payment = _blocking(calls.get_payment)
    list_payments = _blocking(calls.list_payments)
    resolve = _blocking(calls.resolve)
    list_routes = _blocking(calls.list_routes)
    register_route = _blocking(calls.register_route)
    register_override = _blocking(calls.register_override)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry_out(self, call: Call[T]) -> T:
        http = self._http()
        conversation = call.talk(call.request, Patience(self._wait))
        step = next(conversation)
        while True:
            time.sleep(step.after)
            reply = self._sent(http, step.request)
            try:
                step = conversation.send(reply)
            except StopIteration as end:
                value: T = end.value
                return value

    def _http(self) -> httpx2.Client:
        """Return this process's connections to where the settings say now.

        There is no lock, which a fork in another thread could leave locked for ever in the child. Two threads that
        make the first call at once open two, and the one that is not kept is dropped after its call.
        """
        where = self._settings()
        holder = (os.getpid(), where)
        opened = self._opened
        if opened is None or opened[0] != holder:
            opened = self._opened = (holder, httpx2.Client(**self._options(where)))
        return opened[1]

    @staticmethod
    def _sent(http: httpx2.Client, request: Request) -> Reply:
        try:
            answer = http.request(request.method, request.target, content=request.body, headers=request.headers)
        except httpx2.RequestError as cause:
            return _lost(cause)
        return _answer(answer)


class AsyncClient(_Configured):
    """Makes the calls of ``Client`` with ``await``. One serves any number of tasks of asyncio."""

    _opened: tuple[object, httpx2.AsyncClient] | None = None

    charge = _awaited(calls.charge)
    refund = _awaited(calls.refund)
    create_customer = _awaited(calls.create_customer)
    create_subscription = _awaited(calls.create_subscription)
    create_checkout_session = _awaited(calls.create_checkout_session)
    get_balance = _awaited(calls.get_balance)
    get_payment = _awaited(calls.get_payment)
    list_payments = _awaited(calls.list_payments)
    resolve = _awaited(calls.resolve)
    list_routes = _awaited(calls.list_routes)
    register_route = _awaited(calls.register_route)
    register_override = _awaited(calls.register_override)

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[1].aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _carry_out(self, call: Call[T]) -> T:
        http = self._http()
        conversation = call.talk(call.request, Patience(self._wait))
        step = next(conversation)
        while True:
            await asyncio.sleep(step.after)
            reply = await self._sent(http, step.request)
            try:
                step = conversation.send(reply)
            except StopIteration as end:
                value: T = end.value
                return value

    def _http(self) -> httpx2.AsyncClient:
        """Return the connections of this process and event loop; those of another loop are of no use here."""
        where = self._settings()
        holder = (os.getpid(), where, asyncio.get_running_loop())
        opened = self._opened
        if opened is None or opened[0] != holder:
            opened = self._opened = (holder, httpx2.AsyncClient(**self._options(where)))
        return opened[1]

    @staticmethod
    async def _sent(http: httpx2.AsyncClient, request: Request) -> Reply:
        try:
            answer = await http.request(request.method, request.target, content=request.body, headers=request.headers)
        except httpx2.RequestError as cause:
            return _lost(cause)
        return _answer(answer)


def _answer(answer: httpx2.Response) -> Answer:
    return Answer(answer.status_code, answer.headers, answer.content)


def _lost(cause: httpx2.RequestError) -> Lost:
    return Lost(cause, was_sent=not isinstance(cause, _NEVER_SENT))
