"""Serves nothing in production from a database whose triggers, functions or constraints somebody has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.api.problems import error_response
from routing.errors import DatabaseUnavailable
from routing.integrity import REFUSAL, may_serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class RefuseChangedDatabase:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if may_serve():
            return self.get_response(request)
        return error_response(request, DatabaseUnavailable(f"{REFUSAL} Nothing was done."))
