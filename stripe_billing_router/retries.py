"""How a call is retried: attempts, back-off, and polling while the outcome is not known.

The rules are generators that yield the next attempt and receive its result, so that the blocking and the asynchronous
client share them and a test needs no socket.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from stripe_billing_router import responses
from stripe_billing_router.errors import BillingError, NotFound, OutcomeUnknown
from stripe_billing_router.responses import Success
from stripe_billing_router.transport import Request, Result

if TYPE_CHECKING:
    from stripe_billing_router.schemas import Payment

T = TypeVar("T")

_FIRST_DELAY = 0.2  # seconds; doubled each time
_MAX_DELAY = 5.0  # seconds


class Backoff:
    """The time budget of one call, and the growing delays between its attempts."""

    def __init__(self, wait: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = clock() + wait
        self._delays = 0

    def next_delay(self, at_least: float = 0.0) -> float | None:
        """Return the seconds to wait before the next attempt, or None when that would be too late."""
        left = self._deadline - self._clock()
        if left <= 0 or at_least > left:
            return None
        longest = min(_FIRST_DELAY * 2 ** min(self._delays, 10), _MAX_DELAY)
        self._delays += 1
        jittered = random.uniform(longest / 2, longest)  # noqa: S311 (jitter is no secret)
        return max(at_least, min(jittered, left))


@dataclass(frozen=True, slots=True)
class Attempt:
    """Wait ``delay`` seconds, then send."""

    request: Request
    delay: float = 0.0


Attempts: TypeAlias = Generator[Attempt, Result, T]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """The first request of a call, and the attempts that lead to its value of type ``T``."""

    request: Request
    run: Callable[[Request, Backoff], Attempts[T]]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; ``next_request`` is None after the last."""

    items: list[Any]
    next_request: Request | None


def send(request: Request, backoff: Backoff) -> Attempts[Any]:
    """Send until there is a final response. After a 202 the same key is sent again, which replays the outcome."""
    success = yield from _send(request, backoff)
    while success.is_pending:
        delay = backoff.next_delay()
        if delay is None:
            raise _outcome_unknown(_payment(success, request), request)
        success = yield from _send(request, backoff, delay, may_have_succeeded=True)
    return success.body


def send_once(request: Request, backoff: Backoff) -> Attempts[Any]:
    """Send until there is a response; a 202 is one, as it is a person who decides next."""
    success = yield from _send(request, backoff)
    return success.body


def send_charge(request: Request, backoff: Backoff) -> Attempts[Payment]:
    """Send a charge, then poll its payment until it is settled; return it if it succeeded."""
    success = yield from _send(request, backoff)
    payment = _payment(success, request)
    poll = Request("GET", f"/charges/{quote(payment['id'], safe='')}")
    while payment["status"] != "succeeded":
        if error := responses.payment_error(payment):
            raise _with_key(error, request)
        delay = None if payment["status"] == "needs_review" else backoff.next_delay()  # a person takes longer
        if delay is None:
            raise _outcome_unknown(payment, request)
        try:
            success = yield from _send(poll, backoff, delay)
            payment = responses.payment_in(success.body)
        except BillingError as cause:  # it is about the poll, not about the charge
            raise _outcome_unknown(payment, request) from cause
    return payment


def fetch_pages(request: Request, backoff: Backoff, *, at_most: int | None = None) -> Attempts[list[Any]]:
    """Return a list's items from all of its pages, or the first ``at_most``."""
    items: list[Any] = []
    while True:
        page = yield from fetch_page(request, backoff)
        items += page.items
        if page.next_request is None or (at_most is not None and len(items) >= at_most):
            return items[:at_most]
        request = page.next_request


def fetch_page(request: Request, backoff: Backoff) -> Attempts[Page]:
    """Return a page of a list, and the request for the next one."""
    page = yield from send(request, backoff)
    query = responses.next_query(page)
    return Page(responses.results(page), None if query is None else replace(request, query=query))


def fetch_first(request: Request, backoff: Backoff) -> Attempts[Any]:
    """Return the first item of a list; raise ``NotFound`` for an empty one."""
    items = responses.results((yield from send(request, backoff)))
    if not items:
        raise NotFound("The token's bots have no such payment. Check the idempotency key.")
    return items[0]


def _send(
    request: Request, backoff: Backoff, delay: float = 0.0, *, may_have_succeeded: bool = False
) -> Attempts[Success]:
    """Send, and retry while that may help and time is left; raise the error of the last attempt."""
    while True:
        outcome = responses.parse((yield Attempt(request, delay)))
        if isinstance(outcome, Success):
            return outcome
        may_have_succeeded = may_have_succeeded or outcome.may_have_succeeded
        next_delay = backoff.next_delay(outcome.retry_after) if outcome.is_retryable else None
        if next_delay is None:
            error = _error_of_all_attempts(outcome.error, request) if may_have_succeeded else outcome.error
            raise _with_key(error, request)
        delay = next_delay


def _error_of_all_attempts(error: BillingError, request: Request) -> BillingError:
    """Return what the last attempt's error means for the call, an earlier attempt of which may have succeeded.

    An error that carries the payment, or whose own outcome is open, holds for all attempts. Any other, such as a token
    revoked in between, says nothing about the earlier ones.
    """
    if request.idempotency_key is None or error.money_may_have_moved or error.context.get("payment"):
        return error
    unknown = OutcomeUnknown(f"An earlier attempt may have succeeded. The last one failed: {error}")
    unknown.__cause__ = error
    return unknown


def _payment(success: Success, request: Request) -> Payment:
    try:
        return responses.payment_in(success.body)
    except BillingError as error:
        raise _with_key(error, request) from None


def _outcome_unknown(payment: Payment, request: Request) -> BillingError:
    error = OutcomeUnknown(
        f"The outcome of payment {payment['id']} is not known yet (status {payment['status']}).", payment=payment
    )
    return _with_key(error, request)


def _with_key(error: BillingError, request: Request) -> BillingError:
    """Name the idempotency key, without which the caller could not retry safely."""
    key = request.idempotency_key
    if key is None:
        return error
    error.context["idempotency_key"] = key
    if error.retry_with_same_key:
        error.args = (f'{error} Retry with idempotency_key="{key}"; with a new key it could be done twice.',)
    return error
