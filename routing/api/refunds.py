"""Refunding a bot's own charges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.fields import BOT_HELP, Amount, StrictSerializer, String, StringMap
from routing.api.parameters import StrictParameters
from routing.api.payment_responses import (
    PAYMENT_PARAMETERS,
    PENDING,
    object_response,
    request_identity,
)
from routing.payments.operations.refunds import Refund, refund
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class RefundSerializer(StrictSerializer):
    example = {
        "bot": "finance:invoice_bot",
        "payment": "pi_3PqLGh2eZvKYlo2C",
        "amount": "5.00",
        "reason": "requested_by_customer",
    }

    bot = String(help_text=BOT_HELP)
    payment = String(help_text="The charge: the payment's `id`, or Stripe's `pi_…`, `ch_…` or `in_…`.")
    amount = Amount(required=False, help_text="In the charge's currency. Without it, all that is left of the charge.")
    reason = String(required=False, help_text="`duplicate`, `fraudulent` or `requested_by_customer`.")
    metadata = StringMap(required=False)


class RefundsView(StrictParameters):
    scopes = {"POST": Scope.REFUND}

    @extend_schema(
        operation_id="refund",
        request=RefundSerializer,
        parameters=PAYMENT_PARAMETERS,
        responses={201: schemas.Refund, 202: PENDING},
    )
    def post(self, request: Request) -> Response:
        """Refund one of the bot's own charges, in full or in part."""
        fields = RefundSerializer.parse(request)
        bot = permitted_bot(request, fields.pop("bot"))
        result = refund(bot, Refund(**fields), **request_identity(request))
        return object_response(result)
