"""Charging, and the bot's own ledger."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import django_filters
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from routing.access.models import EVERY_BOT, Scope
from routing.api.authentication import grant_of, permitted_bot
from routing.api.lists import NewestFirst, StrictFilters
from routing.api.serializers import ChargeSerializer, PaymentSerializer, PaymentWithCapsSerializer
from routing.errors import InvalidRequest
from routing.identifiers import BotId
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed, representation, representation_with_caps
from routing.payments.operations.charges import Charge, charge
from routing.payments.states import Status

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from routing.payments.execution.exactly_once import PaymentResult

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="1 to 255 printable ASCII characters. The same key never charges twice.",
)


def idempotency_key(request: Request) -> str:
    if key := request.headers.get("Idempotency-Key"):
        return str(key)
    raise InvalidRequest(
        "The header Idempotency-Key is missing. Send one of your own, such as 'order-4711', and the same again when "
        "you repeat the call: that is what keeps a charge from being made twice."
    )


def payment_response(made: PaymentResult) -> Response:
    """Answer 201 for a payment that succeeded and 202 for one still open; raise what a failed one is.

    Each says what is left of the caps on it, so that a bot need not run into one.
    """
    told = representation_with_caps(made.payment)
    raise_if_failed(made.payment, told)
    is_done = made.payment.status == Status.SUCCEEDED
    return Response(
        told,
        status=HTTPStatus.CREATED if is_done else HTTPStatus.ACCEPTED,
        headers={"Idempotent-Replayed": "true"} if made.is_replay else {},
    )


def ledger_of(request: Request) -> QuerySet[Payment]:
    """Return the payments of the bots that the token speaks for; a new customer is none."""
    charges = Payment.objects.exclude(kind=Kind.CUSTOMER)
    bots = grant_of(request).bots
    return charges if EVERY_BOT in bots else charges.filter(bot__in=bots)


class ChargeFilters(django_filters.FilterSet):
    bot = django_filters.CharFilter(method="of_bot", label="The bot, in either form of its name")
    status = django_filters.MultipleChoiceFilter(choices=Status.choices)
    kind = django_filters.ChoiceFilter(choices=[choice for choice in Kind.choices if choice[0] != Kind.CUSTOMER])
    currency = django_filters.CharFilter()
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    def of_bot(self, charges: QuerySet[Payment], _: str, name: str) -> QuerySet[Payment]:
        return charges.filter(bot=str(BotId.parse(name)))


class ChargesView(GenericAPIView[Payment]):
    scopes = {"POST": Scope.CHARGE, "GET": Scope.READ}
    serializer_class = PaymentSerializer
    queryset = Payment.objects.none()
    filter_backends = [StrictFilters]
    filterset_class = ChargeFilters
    pagination_class = NewestFirst

    @extend_schema(
        request=ChargeSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={
            201: PaymentWithCapsSerializer,
            202: OpenApiResponse(
                PaymentWithCapsSerializer, description="The outcome is not known yet; ask for it again."
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """Charge an amount, or the route's price, at most once for the bot and idempotency key."""
        form = ChargeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        bot = permitted_bot(request, form.validated_data.pop("bot"))
        return payment_response(charge(bot, Charge(**form.validated_data), idempotency_key=idempotency_key(request)))

    @extend_schema(responses=PaymentSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the charges of the token's bots, newest first."""
        page = self.paginate_queryset(self.filter_queryset(ledger_of(request)))
        return self.get_paginated_response([representation(payment) for payment in page or []])


class ChargeView(APIView):
    scopes = {"GET": Scope.READ}

    @extend_schema(responses=PaymentWithCapsSerializer)
    def get(self, request: Request, payment_id: UUID, **_: Any) -> Response:
        """Return a charge as it stands, and what is left now of the caps on it."""
        return Response(representation_with_caps(get_object_or_404(ledger_of(request), id=payment_id)))
