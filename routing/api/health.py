"""Whether the process is alive, and whether it can decide a charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from routing.readiness import readiness

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
    """Open to everybody, whatever media type a load balancer accepts."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    raises_problems = False

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:  # noqa: ARG002, FBT001, FBT002 (Django REST framework's signature)
        return super().perform_content_negotiation(request, force=True)


class LivenessView(HealthView):
    @extend_schema(auth=[], responses={200: Liveness})
    def get(self, request: Request) -> Response:  # noqa: ARG002 (Django's signature)
        """Return 200 while the process is alive, whatever else is down."""
        body: Liveness = {"status": "ok"}
        return Response(body)


class ReadinessView(HealthView):
    @extend_schema(auth=[], responses={200: Readiness, 503: NotReady})
    def get(self, request: Request) -> Response:  # noqa: ARG002 (Django's signature)
        """Return 200 once the registry can be read and payments written, and 503 with the reason until then."""
        probe = readiness()
        return Response(probe.document, status=probe.status)
