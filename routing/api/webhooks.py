"""The endpoint to which Stripe sends a domain's events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from routing.payments.webhooks.receiving import MAX_BYTES, receive

if TYPE_CHECKING:
    from rest_framework.request import Request

_SIGNATURE = OpenApiParameter("Stripe-Signature", str, OpenApiParameter.HEADER, required=True)


class WebhookReceived(TypedDict):
    received: bool


class StripeWebhookView(APIView):
    """The signature of the raw body is the only credential; Stripe has no bot token."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    @extend_schema(
        operation_id="receive_stripe_event",
        auth=[],
        parameters=[_SIGNATURE],
        request=OpenApiTypes.OBJECT,
        responses={200: WebhookReceived},
    )
    def post(self, request: Request, domain: str, **_: Any) -> Response:
        """Receive an event that Stripe has signed; it is stored once, however often it is delivered."""
        body = request.stream.read(MAX_BYTES + 1) if request.stream else b""
        receive(domain, body, request.headers.get("Stripe-Signature", ""))
        received: WebhookReceived = {"received": True}
        return Response(received)
