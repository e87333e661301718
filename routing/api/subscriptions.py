"""Creating and canceling subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.fields import (
    BOT_HELP,
    CUSTOMER_HELP,
    OVERRIDES_HELP,
    Boolean,
    Integer,
    StrictSerializer,
    String,
    StringMap,
)
from routing.api.parameters import StrictParameters
from routing.api.payment_responses import (
    PAYMENT_PARAMETERS,
    PENDING,
    object_response,
    request_identity,
)
from routing.payments.operations.cancellations import cancel_subscription
from routing.payments.operations.subscriptions import Subscription, subscribe
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request


class SubscriptionSerializer(StrictSerializer):
    example = {"bot": "finance:invoice_bot", "quantity": 3}

    bot = String(help_text=BOT_HELP)
    price_id = String(required=False, help_text="May only repeat the route's.")
    quantity = Integer(required=False, help_text="1 unless given.")
    customer_id = String(required=False, help_text=CUSTOMER_HELP)
    metadata = StringMap(required=False)
    overrides = StringMap(required=False, help_text=OVERRIDES_HELP)


class CancellationSerializer(StrictSerializer):
    example = {"bot": "finance:invoice_bot", "at_period_end": True}

    bot = String(help_text=BOT_HELP)
    at_period_end = Boolean(required=False, help_text="At the end of the period that is paid for; now unless true.")


class SubscriptionsView(StrictParameters):
    scopes = {"POST": Scope.SUBSCRIPTION}

    @extend_schema(
        operation_id="create_subscription",
        request=SubscriptionSerializer,
        parameters=PAYMENT_PARAMETERS,
        responses={201: schemas.Subscription, 202: PENDING},
    )
    def post(self, request: Request) -> Response:
        """Subscribe the route's customer to the route's price."""
        fields = SubscriptionSerializer.parse(request)
        bot = permitted_bot(request, fields.pop("bot"), fields.get("overrides"))
        result = subscribe(bot, Subscription(**fields), **request_identity(request))
        return object_response(result)


class CancellationView(StrictParameters):
    scopes = {"POST": Scope.SUBSCRIPTION}

    @extend_schema(
        operation_id="cancel_subscription",
        request=CancellationSerializer,
        responses={200: schemas.CanceledSubscription},
    )
    def post(self, request: Request, subscription: str) -> Response:
        """Cancel one of the bot's subscriptions, by Stripe's id or its payment's; possible while billing is paused."""
        fields = CancellationSerializer.parse(request)
        bot = permitted_bot(request, fields["bot"])
        payment, canceled = cancel_subscription(bot, subscription, at_period_end=fields.get("at_period_end", False))
        body: schemas.CanceledSubscription = {
            "id": canceled["id"],
            "status": canceled["status"],
            "cancel_at_period_end": bool(canceled.get("cancel_at_period_end")),
            "payment_id": str(payment.id),
        }
        return Response(body)
