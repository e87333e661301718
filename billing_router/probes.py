"""Answers health probes before any other middleware, whatever host they name: a load balancer names an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import JsonResponse

from routing.readiness import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class Probes:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        found = probe(request.path_info)
        return JsonResponse(found.document, status=found.status) if found else self.get_response(request)
