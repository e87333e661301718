"""Subscriptions, refunds and checkout pages: what Stripe made, and the payment that records it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.charges import IDEMPOTENCY_KEY, idempotency_key, payment_response
from routing.api.serializers import (
    CheckoutSerializer,
    PaymentSerializer,
    PaymentWithCapsSerializer,
    RefundSerializer,
    SubscriptionSerializer,
    caps_field,
)
from routing.payments.operations.checkouts import Checkout, load_publishable_key, open_checkout
from routing.payments.operations.refunds import Refund, refund
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.states import Status

if TYPE_CHECKING:
    from rest_framework.request import Request

    from routing.payments.execution.exactly_once import PaymentResult

_OPEN = OpenApiResponse(
    PaymentWithCapsSerializer, description="The outcome is not known yet; repeat with the same key."
)
_MADE = {"id": serializers.CharField(help_text="Stripe's."), "status": serializers.CharField(help_text="Stripe's.")}


def _answers(name: str, more: dict[str, Any]) -> dict[int, Any]:
    fields = {**_MADE, **more, "payment": PaymentSerializer(), "caps": caps_field()}
    return {201: inline_serializer(name, fields), 202: _OPEN}


class SubscriptionsView(APIView):
    scopes = {"POST": Scope.SUBSCRIPTION}

    @extend_schema(
        request=SubscriptionSerializer, parameters=[IDEMPOTENCY_KEY], responses=_answers("SubscriptionMade", {})
    )
    def post(self, request: Request) -> Response:
        """Subscribe the route's customer to the route's price."""
        form = SubscriptionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        bot = permitted_bot(request, form.validated_data.pop("bot"))
        wanted = Subscription(**form.validated_data)
        return _response(subscribe(bot, wanted, idempotency_key=idempotency_key(request)))


class RefundsView(APIView):
    scopes = {"POST": Scope.REFUND}

    @extend_schema(request=RefundSerializer, parameters=[IDEMPOTENCY_KEY], responses=_answers("RefundMade", {}))
    def post(self, request: Request) -> Response:
        """Give back one of the bot's own charges, or a part of it."""
        form = RefundSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        bot = permitted_bot(request, form.validated_data.pop("bot"))
        return _response(refund(bot, Refund(**form.validated_data), idempotency_key=idempotency_key(request)))


class CheckoutSessionsView(APIView):
    scopes = {"POST": Scope.CHECKOUT}

    @extend_schema(
        request=CheckoutSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses=_answers(
            "CheckoutMade",
            {
                "url": serializers.CharField(allow_null=True, help_text="Where the person pays."),
                "publishable_key": serializers.CharField(allow_null=True, help_text="For Stripe's own script."),
            },
        ),
    )
    def post(self, request: Request) -> Response:
        """Open a page on which a person pays; the payment waits for that."""
        form = CheckoutSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        bot = permitted_bot(request, form.validated_data.pop("bot"))
        made = open_checkout(bot, Checkout(**form.validated_data), idempotency_key=idempotency_key(request))
        page = made.payment.result or {}
        return _response(made, url=page.get("url"), publishable_key=load_publishable_key(made.payment))


def _response(made: PaymentResult, **more: Any) -> Response:
    """Answer with what Stripe made, once there is something; a refund under way is made, and so is a page."""
    answer = payment_response(made)
    found = made.payment.result
    if found is None or made.payment.status == Status.UNKNOWN:
        return answer
    payment = dict(answer.data)
    caps = payment.pop("caps")
    content = {"id": found["id"], "status": found.get("status"), **more, "payment": payment, "caps": caps}
    return Response(content, status=HTTPStatus.CREATED, headers=dict(answer.headers))
