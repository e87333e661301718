"""Whether the process lives, and whether it can decide a charge."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.http import JsonResponse

from routing.errors import BillingError
from routing.registry import snapshot

if TYPE_CHECKING:
    from django.http import HttpRequest


def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 (Django's signature)
    """Answer that the process lives; asks nothing of anybody else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 (Django's signature)
    """Answer 200 once the registry can be read, 503 with the reason until then."""
    try:
        current = snapshot.current()
    except BillingError as error:
        return JsonResponse({"status": "not ready", "reason": str(error)}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return JsonResponse({"status": "ready", "registry_version": current.table.version})
