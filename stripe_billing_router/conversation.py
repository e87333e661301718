"""How long the router is asked until it has answered: attempts, back-off and the wait for an open outcome.

The rules are generators that yield what to send next and are told what came back, so that the blocking and the
asynchronous client share them and a test needs no socket.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from stripe_billing_router import answers
from stripe_billing_router.answers import Success
from stripe_billing_router.errors import BillingError, OutcomeUnknown
from stripe_billing_router.wire import Reply, Request, Step

T = TypeVar("T")
Conversation: TypeAlias = Generator[Step, Reply, T]

_FIRST_PAUSE = 0.2  # seconds; doubled each time
_LONGEST_PAUSE = 5.0  # seconds


class Patience:
    """The time that one call may take, and how it is spread over the attempts."""

    def __init__(self, wait: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + wait
        self._pauses = 0

    def pause(self, asked: float = 0.0) -> float | None:
        """Return the seconds to wait before the next attempt, at least those ``asked``; None when none is left."""
        left = self._until - self._clock()
        if left <= 0 or asked > left:
            return None
        longest = min(_FIRST_PAUSE * 2 ** min(self._pauses, 10), _LONGEST_PAUSE)
        self._pauses += 1
        spread = random.uniform(longest / 2, longest)  # noqa: S311 (jitter is no secret)
        return max(asked, min(spread, left))


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What to ask the router, and how to go on until there is an answer of type ``T``."""

    request: Request
    talk: Callable[[Request, Patience], Conversation[T]]


def answered(request: Request, patience: Patience) -> Conversation[Any]:
    """Send until the router answers. An open outcome is asked for again with the same key, which replays it."""
    answer = yield from _asked(request, patience)
    while answer.is_open:
        pause = patience.pause()
        if pause is None:
            raise _in_doubt(_payment(answer, request), request)
        answer = yield from _asked(request, patience, pause, is_open=True)
    return answer.content


def charged(request: Request, patience: Patience) -> Conversation[Any]:
    """Send a charge, then look its payment up until it is settled; return it if it succeeded."""
    answer = yield from _asked(request, patience)
    payment = _payment(answer, request)
    look_up = Request("GET", f"/charges/{quote(payment['id'], safe='')}")
    while payment["status"] != "succeeded":
        if refusal := answers.refusal_of(payment):
            raise _with_key(refusal, request)
        pause = None if payment["status"] == "needs_review" else patience.pause()  # a person takes longer than a wait
        if pause is None:
            raise _in_doubt(payment, request)
        try:
            answer = yield from _asked(look_up, patience, pause)
            payment = answers.payment_in(answer.content)
        except BillingError as cause:  # says nothing of the charge itself
            raise _in_doubt(payment, request) from cause
    return payment


def every_page(request: Request, patience: Patience, *, at_most: int | None = None) -> Conversation[list[Any]]:
    """Return a list's items from all of its pages, or the first ``at_most``."""
    found: list[Any] = []
    while True:
        page = yield from answered(request, patience)
        found += answers.results(page)
        following = answers.next_query(page)
        if following is None or (at_most is not None and len(found) >= at_most):
            return found[:at_most]
        request = replace(request, query=following)


def _asked(request: Request, patience: Patience, pause: float = 0.0, *, is_open: bool = False) -> Conversation[Success]:
    """Send, and again while that may help and time is left; raise what the router refused."""
    while True:
        outcome = answers.read((yield Step(request, pause)))
        if isinstance(outcome, Success):
            return outcome
        is_open = is_open or outcome.leaves_open
        following = patience.pause(outcome.after) if outcome.may_repeat else None
        if following is None:
            raise _with_key(_said_of_all(outcome.error, request) if is_open else outcome.error, request)
        pause = following


def _said_of_all(error: BillingError, request: Request) -> BillingError:
    """Return what the last attempt's error says of all attempts, one of which may have been carried out.

    An error that carries the payment, or that leaves the outcome open itself, speaks for them all. Any other, such as
    a token revoked in between, says nothing of the attempt before.
    """
    if request.idempotency_key is None or error.money_may_have_moved or error.context.get("payment"):
        return error
    unknown = OutcomeUnknown(
        f"An earlier attempt of this call may have been carried out. The last was refused: {error}"
    )
    unknown.__cause__ = error
    return unknown


def _payment(answer: Success, request: Request) -> dict[str, Any]:
    try:
        return answers.payment_in(answer.content)
    except BillingError as error:
        raise _with_key(error, request) from None


def _in_doubt(payment: dict[str, Any], request: Request) -> BillingError:
    error = OutcomeUnknown(
        f"It is not known yet whether the money of payment {payment.get('id')} moved (status {payment.get('status')}).",
        payment=payment,
    )
    return _with_key(error, request)


def _with_key(error: BillingError, request: Request) -> BillingError:
    """Name the key, without which the caller could not safely go on."""
    key = request.idempotency_key
    if key is None:
        return error
    error.context["idempotency_key"] = key
    if error.retry_with_same_key:
        error.args = (f'{error} Repeat the call with idempotency_key="{key}"; a new key could do it twice.',)
    return error
