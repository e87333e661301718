"""What an answer of the router means: a value, or the error that the server raised."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from stripe_billing_router.errors import (
    BillingError,
    Canceled,
    Declined,
    Rejected,
    RouterUnavailable,
    StillRunning,
    by_code,
)
from stripe_billing_router.wire import Answer, Lost, Reply

_PROBLEM_FIELDS = frozenset(
    {"type", "title", "status", "detail", "code", "money_may_have_moved", "retry_with_same_key"}
)
_SUCCESS, _REDIRECT, _SERVER_ERROR = 2, 3, 5  # the classes of HTTP's statuses
_PASSING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_REFUSED: dict[str, type[BillingError]] = {"declined": Declined, "rejected": Rejected, "canceled": Canceled}


@dataclass(frozen=True, slots=True)
class Success:
    """A 2xx answer; after a 202 the outcome is still open."""

    content: dict[str, Any]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error and what it means for this attempt.

    ``may_repeat``: sending the same again may help, after the seconds ``after`` that the router asked for.
    ``leaves_open``: this attempt may have been carried out all the same.
    """

    error: BillingError
    may_repeat: bool
    leaves_open: bool
    after: float = 0.0


def read(reply: Reply) -> Success | Refusal:
    if isinstance(reply, Lost):
        return _lost(reply)
    content = _json_object(reply.body)
    if content is not None and reply.status // 100 == _SUCCESS:
        return Success(content, is_open=reply.status == HTTPStatus.ACCEPTED)
    if content is not None and _is_problem(content):
        return _problem(reply, content)
    return _not_understood(reply)


def payment_in(content: dict[str, Any]) -> dict[str, Any]:
    """Return the payment that an answer is, or that a problem document carries."""
    carried = content.get("payment")
    payment = carried if isinstance(carried, dict) else content
    if not isinstance(payment.get("id"), str) or not isinstance(payment.get("status"), str):
        raise RouterUnavailable("The billing router's answer holds no payment.")
    return payment


def refusal_of(payment: dict[str, Any]) -> BillingError | None:
    """Return the error that a settled payment stands for, as the server would have raised it."""
    kind = _REFUSED.get(payment["status"])
    if kind is None:
        return None
    return kind(f"Payment {payment['id']} was {payment['status']}{_reason(payment.get('error'))}.", payment=payment)


def results(page: dict[str, Any]) -> list[Any]:
    found = page.get("results")
    if not isinstance(found, list):
        raise RouterUnavailable("The billing router's answer is not a list.")
    return found


def next_query(page: dict[str, Any]) -> str | None:
    """Return the next page's query alone: the token goes to no address that an answer names."""
    following = page.get("next")
    return urlsplit(following).query if isinstance(following, str) else None


def _is_problem(content: dict[str, Any]) -> bool:
    """Whether the router wrote this: a gateway's own error has a code too, but says not what became of the money."""
    code = content.get("code")
    return isinstance(code, str) and (by_code(code) is not None or "money_may_have_moved" in content)


def _lost(reply: Lost) -> Refusal:
    sent = "It may have received the call." if reply.was_sent else "Nothing was sent."
    error = RouterUnavailable(
        f"No answer came from the billing router ({type(reply.cause).__name__}). {sent} "
        "Check that BILLING_ROUTER_URL is right and that the router runs."
    )
    error.__cause__ = reply.cause
    return Refusal(error, may_repeat=True, leaves_open=reply.was_sent)


def _problem(answer: Answer, problem: dict[str, Any]) -> Refusal:
    kind = by_code(problem["code"])
    detail = str(problem.get("detail") or problem.get("title") or "The billing call failed.")
    if kind is None:  # a newer router's error
        kind = BillingError
        detail = f"{detail} (code: {problem['code']})"
    error = kind(detail)
    error.context.update({name: value for name, value in problem.items() if name not in _PROBLEM_FIELDS})
    may_retry = problem.get("retry_with_same_key", kind.retry_with_same_key) is True
    return Refusal(
        error,
        may_repeat=kind is StillRunning or (answer.status in _PASSING and may_retry),
        leaves_open=problem.get("money_may_have_moved", kind.money_may_have_moved) is True,
        after=_retry_after(answer),
    )


def _not_understood(answer: Answer) -> Refusal:
    """Refuse an answer that is not the router's: one of a proxy on the way, or of something else at its address."""
    said = f"The answer (HTTP {answer.status}) is not one of the billing router."
    if answer.status // 100 == _REDIRECT:
        said = f"The address redirects elsewhere (HTTP {answer.status}), where the token is not sent."
    return Refusal(
        RouterUnavailable(f"{said} Check BILLING_ROUTER_URL."),
        may_repeat=answer.status // 100 == _SERVER_ERROR or answer.status in _PASSING,
        leaves_open=answer.status // 100 in (_SUCCESS, _SERVER_ERROR),
        after=_retry_after(answer),
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _retry_after(answer: Answer) -> float:
    """Return the seconds that ``Retry-After`` asks for, which HTTP writes as a number or as a date."""
    value = answer.headers.get("Retry-After", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _seconds_until(date: str) -> float:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _reason(error: object) -> str:
    """Write what the ledger says of a failure, which is text or an object with a sentence in it."""
    if isinstance(error, dict):
        error = error.get("detail") or error.get("message")
    return f": {error.rstrip('.')}" if isinstance(error, str) and error else ""
