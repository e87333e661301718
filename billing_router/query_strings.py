"""Refuses a query string with a NUL, which PostgreSQL's text cannot hold: no filter or search could be run with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.api.problems import error_response
from routing.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class RefuseNul:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if "%00" not in query and "\0" not in query:
            return self.get_response(request)
        error = InvalidRequest("The address contains a NUL character (%00), which no value can. Take it out.")
        return error_response(request, error)
