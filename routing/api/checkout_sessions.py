"""Creating Checkout Sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.fields import (
    BOT_HELP,
    CUSTOMER_HELP,
    OVERRIDES_HELP,
    Amount,
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
    stripe_object,
)
from routing.payments.operations.checkouts import Checkout, load_publishable_key, open_checkout
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from routing.payments.ledger.models import Payment


class CheckoutSessionSerializer(StrictSerializer):
    example = {"bot": "finance:invoice_bot", "amount": "19.99", "success_url": "https://shop.example.com/thanks"}

    bot = String(help_text=BOT_HELP)
    success_url = String()
    cancel_url = String(required=False)
    mode = String(
        required=False,
        help_text="`payment` unless given. `setup` sells nothing: the customer gives a payment method for later.",
    )
    customer_id = String(required=False, help_text=CUSTOMER_HELP)
    amount = Amount(required=False, help_text="For the route's product. Without it the route's price is sold.")
    quantity = Integer(required=False, help_text="1 unless given.")
    line_items = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text='May only repeat the route\'s price: `[{"price": "price_…", "quantity": 1}]`.',
    )
    metadata = StringMap(required=False)
    overrides = StringMap(required=False, help_text=OVERRIDES_HELP)


class CheckoutSessionsView(StrictParameters):
    scopes = {"POST": Scope.CHECKOUT}

    @extend_schema(
        operation_id="create_checkout_session",
        request=CheckoutSessionSerializer,
        parameters=PAYMENT_PARAMETERS,
        responses={201: schemas.CheckoutSession, 202: PENDING},
    )
    def post(self, request: Request) -> Response:
        """Create a Checkout Session; its payment succeeds once the customer has paid."""
        fields = CheckoutSessionSerializer.parse(request)
        bot = permitted_bot(request, fields.pop("bot"), fields.get("overrides"))
        result = open_checkout(bot, Checkout(**fields), **request_identity(request))
        return object_response(result, _checkout_session)


def _checkout_session(payment: Payment) -> schemas.CheckoutSession | None:
    created = stripe_object(payment)
    if created is None or payment.result is None:
        return None
    return {**created, "url": payment.result.get("url"), "publishable_key": load_publishable_key(payment)}
