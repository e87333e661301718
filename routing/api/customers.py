"""Creating customers."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.fields import BOT_HELP, OVERRIDES_HELP, StrictSerializer, String, StringMap
from routing.api.parameters import StrictParameters
from routing.api.payment_responses import PENDING, request_identity
from routing.payments.ledger.representation import raise_if_failed, representation
from routing.payments.operations.customers import NewCustomer, create_customer
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request

    from routing.payments.ledger.models import Payment

_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="The same key never creates two customers."
)


class CustomerSerializer(StrictSerializer):
    example = {"bot": "finance:invoice_bot", "email": "ada@example.com", "name": "Ada Lovelace"}

    bot = String(help_text=BOT_HELP)
    email = String(required=False, max_length=512)
    name = String(required=False, max_length=256)
    phone = String(required=False, max_length=20)
    description = String(required=False, allow_blank=True, max_length=350)
    metadata = StringMap(required=False)
    overrides = StringMap(required=False, help_text=OVERRIDES_HELP)


class CustomersView(StrictParameters):
    scopes = {"POST": Scope.CUSTOMER}

    @extend_schema(
        operation_id="create_customer",
        request=CustomerSerializer,
        parameters=[_IDEMPOTENCY_KEY],
        responses={201: schemas.Customer, 202: PENDING},
    )
    def post(self, request: Request) -> Response:
        """Create a customer on the account of the bot's route."""
        fields = CustomerSerializer.parse(request)
        bot = permitted_bot(request, fields.pop("bot"), fields.get("overrides"))
        identity = request_identity(request, default_key=str(uuid.uuid4()))
        payment = create_customer(bot, NewCustomer(**fields), **identity).payment
        raise_if_failed(payment)
        if payment.result is None:
            return Response(representation(payment), status=HTTPStatus.ACCEPTED)
        return Response(_customer(payment, payment.result), status=HTTPStatus.CREATED)


def _customer(payment: Payment, customer: dict[str, Any]) -> schemas.Customer:
    return {
        "id": customer["id"],
        "email": customer.get("email"),
        "name": customer.get("name"),
        "phone": customer.get("phone"),
        "description": customer.get("description"),
        "metadata": customer.get("metadata") or {},
        "created": customer["created"],
        "livemode": customer["livemode"],
        "bot": payment.bot,
        "payment_id": str(payment.id),
    }
