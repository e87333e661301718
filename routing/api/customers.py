"""New customers, and the balance of the account."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.serializers import CustomerSerializer
from routing.payments.ledger.representation import raise_if_failed, representation
from routing.payments.operations.balances import fetch_balance
from routing.payments.operations.customers import NewCustomer, create_customer

if TYPE_CHECKING:
    from rest_framework.request import Request

    from routing.payments.ledger.models import Payment

_SHOWN = ("id", "email", "name", "phone", "description", "metadata", "created", "livemode")

_CUSTOMER = inline_serializer(
    "Customer",
    {
        "id": serializers.CharField(help_text="Stripe's id, `cus_…`."),
        "email": serializers.CharField(allow_null=True),
        "name": serializers.CharField(allow_null=True),
        "phone": serializers.CharField(allow_null=True),
        "description": serializers.CharField(allow_null=True),
        "metadata": serializers.DictField(child=serializers.CharField()),
        "created": serializers.IntegerField(help_text="Seconds since 1970."),
        "livemode": serializers.BooleanField(),
        "bot": serializers.CharField(),
        "payment_id": serializers.UUIDField(help_text="The router's own record of it."),
    },
)

_AMOUNT = inline_serializer(
    "Money", {"amount": serializers.CharField(), "currency": serializers.CharField()}, many=True
)
_BALANCE = inline_serializer("Balance", {"domain": serializers.CharField(), "available": _AMOUNT, "pending": _AMOUNT})


class CustomersView(APIView):
    scopes = {"POST": Scope.CUSTOMER}

    @extend_schema(
        request=CustomerSerializer,
        parameters=[
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER, description="The same key never makes two customers."
            )
        ],
        responses={201: _CUSTOMER},
    )
    def post(self, request: Request) -> Response:
        """Create a customer on the account of the bot's route."""
        form = CustomerSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        bot = permitted_bot(request, form.validated_data.pop("bot"))
        key = request.headers.get("Idempotency-Key") or str(uuid.uuid4())
        made = create_customer(bot, NewCustomer(**form.validated_data), idempotency_key=key)
        raise_if_failed(made.payment)
        if made.payment.result is None:
            return Response(representation(made.payment), status=HTTPStatus.ACCEPTED)
        return Response(_shown(made.payment, made.payment.result), status=HTTPStatus.CREATED)


class BalanceView(APIView):
    scopes = {"GET": Scope.BALANCE}

    @extend_schema(parameters=[OpenApiParameter("bot", str, required=True)], responses=_BALANCE)
    def get(self, request: Request) -> Response:
        """Return what is available and pending on the account of the bot's domain, by currency."""
        return Response(fetch_balance(permitted_bot(request, request.query_params.get("bot"))))


def _shown(payment: Payment, customer: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: customer.get(name) for name in _SHOWN},
        "bot": payment.bot,
        "payment_id": str(payment.id),
    }
