"""Refuses calls of the API that came over plain http: after a redirect, every call would send its token in clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from routing.api.problems import error_response
from routing.errors import NotPermitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_API = "/api/v1/"


class RefusePlainHttp:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.SECURE_SSL_REDIRECT or request.is_secure() or not request.path_info.startswith(_API):
            return self.get_response(request)
        error = NotPermitted(
            "This call came over plain http, so whoever was on the way has seen its token. Nothing was done. "
            "Revoke the token, and call https."
        )
        return error_response(request, error)
