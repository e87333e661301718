"""What a response of the router means: a value, or the error that the server raised."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast
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
from stripe_billing_router.schemas import Payment, Problem
from stripe_billing_router.transport import NoResponse, Response, Result

_SUCCESS, _REDIRECT, _SERVER_ERROR = 2, 3, 5  # the classes of HTTP's statuses
_TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_FAILED: dict[str, type[BillingError]] = {"declined": Declined, "rejected": Rejected, "canceled": Canceled}


@dataclass(frozen=True, slots=True)
class Success:
    """A 2xx response; ``is_pending`` after a 202, whose outcome is not known yet."""

    body: dict[str, Any]
    is_pending: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, and what it means for this attempt.

    ``is_retryable``: a retry may help, after the ``retry_after`` seconds that the router asked for.
    ``may_have_succeeded``: the router may have carried out this attempt all the same.
    """

    error: BillingError
    is_retryable: bool
    may_have_succeeded: bool
    retry_after: float = 0.0


def parse(result: Result) -> Success | Failure:
    if isinstance(result, NoResponse):
        return _no_response(result)
    body = _json_object(result.body)
    if body is not None and result.status // 100 == _SUCCESS:
        return Success(body, is_pending=result.status == HTTPStatus.ACCEPTED)
    if body is not None and _is_problem(body):
        return _problem(result, body)
    return _foreign_response(result)


def payment_in(body: dict[str, Any]) -> Payment:
    """Return the payment that a response is, or that a problem carries."""
    nested = body.get("payment")
    payment = nested if isinstance(nested, dict) else body
    if not isinstance(payment.get("id"), str) or not isinstance(payment.get("status"), str):
        raise RouterUnavailable("The billing router's response contains no payment.")
    return cast("Payment", payment)


def payment_error(payment: Payment) -> BillingError | None:
    """Return the error that a failed payment stands for, as the server would have raised it."""
    kind = _FAILED.get(payment["status"])
    if kind is None:
        return None
    return kind(f"Payment {payment['id']} was {payment['status']}{_reason(payment)}.", payment=payment)


def results(page: dict[str, Any]) -> list[Any]:
    items = page.get("results")
    if not isinstance(items, list):
        raise RouterUnavailable("The billing router's response is not a list.")
    return items


def next_query(page: dict[str, Any]) -> str | None:
    """Return only the query of the next page: the token is sent to no address that a response names."""
    url = page.get("next")
    return urlsplit(url).query if isinstance(url, str) else None


def _is_problem(body: dict[str, Any]) -> bool:
    """Whether the router wrote this: a gateway's error may have a code too, but not whether money moved."""
    code = body.get("code")
    return isinstance(code, str) and (by_code(code) is not None or "money_may_have_moved" in body)


def _no_response(result: NoResponse) -> Failure:
    sent = "It may have received the request." if result.was_sent else "Nothing was sent."
    error = RouterUnavailable(
        f"No response from the billing router ({type(result.cause).__name__}). {sent} "
        "Check that BILLING_ROUTER_URL is right and that the router is running."
    )
    error.__cause__ = result.cause
    return Failure(error, is_retryable=True, may_have_succeeded=result.was_sent)


def _problem(response: Response, problem: dict[str, Any]) -> Failure:
    kind = by_code(problem["code"])
    detail = str(problem.get("detail") or problem.get("title") or "The billing call failed.")
    if kind is None:  # a newer router's error
        kind = BillingError
        detail = f"{detail} (code: {problem['code']})"
    error = kind(detail)
    error.context.update({name: value for name, value in problem.items() if name not in Problem.__required_keys__})
    may_retry = problem.get("retry_with_same_key", kind.retry_with_same_key) is True
    return Failure(
        error,
        is_retryable=kind is StillRunning or (response.status in _TEMPORARY and may_retry),
        may_have_succeeded=problem.get("money_may_have_moved", kind.money_may_have_moved) is True,
        retry_after=_retry_after(response),
    )


def _foreign_response(response: Response) -> Failure:
    """Refuse a response that is not the router's: a proxy's, or another service's at its address."""
    status = response.status
    reason = f"The response (HTTP {status}) is not from the billing router."
    if status // 100 == _REDIRECT:
        reason = f"The URL redirects elsewhere (HTTP {status}), and the token is not sent there."
    return Failure(
        RouterUnavailable(f"{reason} Check BILLING_ROUTER_URL."),
        is_retryable=status // 100 == _SERVER_ERROR or status in _TEMPORARY,
        may_have_succeeded=status // 100 in (_SUCCESS, _SERVER_ERROR),
        retry_after=_retry_after(response),
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _retry_after(response: Response) -> float:
    """Return the seconds of ``Retry-After``, which HTTP writes as a number or as a date."""
    value = response.headers.get("Retry-After", "")
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


def _reason(payment: Payment) -> str:
    error = payment.get("error")
    message = error.get("message") if error else None
    return f": {message.rstrip('.')}" if message else ""
