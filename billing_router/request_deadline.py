"""Takes over from a request how long its caller waits: ``X-Request-Timeout: 30``, in seconds since it arrived."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from routing import deadlines
from routing.api.problems import error_response
from routing.errors import BillingError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

ARRIVED = "billing_router.arrived"
"""Where the server puts into the WSGI environment when the request arrived, by the process's monotonic clock."""

_HEADER = "X-Request-Timeout"


class RequestDeadline:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            with deadlines.until(_deadline(request)):
                deadlines.require_time_left()
                return self.get_response(request)
        except BillingError as error:  # of these three lines: what the views raise is a response by here
            return error_response(request, error)


def _deadline(request: HttpRequest) -> float | None:
    text = request.headers.get(_HEADER)
    if text is None:
        return None
    arrived: float = request.META.get(ARRIVED, time.monotonic())
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidRequest(f"The header {_HEADER} must be a positive number of seconds, such as 30.")
    return arrived + seconds
