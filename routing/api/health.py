"""Whether the process is alive, and whether it can decide a charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from routing.readiness import HEALTHY, readiness

if TYPE_CHECKING:
    from rest_framework.request import Request


class Liveness(TypedDict):
    status: Literal["ok"]


class Readiness(TypedDict):
    status: Literal["ready"]
    registry_version: int


class NotReady(TypedDict):
    status: Literal["not ready"]
    reason: str
    database: str | None


class HealthView(APIView):
    """Documents a probe, which ``billing_router.probes`` answers before any view."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    raises_problems = False


class LivenessView(HealthView):
    @extend_schema(operation_id="is_alive", auth=[], responses={200: Liveness})
    def get(self, request: Request) -> Response:  # noqa: ARG002 (Django's signature)
        """Return 200 while the process is alive, whatever else is down."""
        return Response(HEALTHY.document)


class ReadinessView(HealthView):
    @extend_schema(operation_id="is_ready", auth=[], responses={200: Readiness, 503: NotReady})
    def get(self, request: Request) -> Response:  # noqa: ARG002 (Django's signature)
        """Return 200 once the registry can be read and payments written, and 503 with the reason until then."""
        probe = readiness()
        return Response(probe.document, status=probe.status)
