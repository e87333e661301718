"""Serves the API alone or the admin alone, where each has its own process and port: ``manage.py serve --only api``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.conf import settings

from billing_router.environment import ONLY
from routing.api.problems import error_response
from routing.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_API = "/api/"


class ServeOnly:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._only = os.environ.get(ONLY, "")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        part = "api" if path.startswith(_API) else "admin"
        if self._only in ("", part) or path.startswith(settings.STATIC_URL):
            return self.get_response(request)
        return error_response(request, NotFound(f"This server serves the {self._only} alone."))
