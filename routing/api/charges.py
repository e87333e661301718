"""Charging, and the payments of the token's bots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import django_filters
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from routing.access.models import Scope
from routing.api.authentication import permitted_bot, token_grant
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
from routing.api.lists import NewestFirst, StrictFilters
from routing.api.parameters import StrictParameters
from routing.api.payment_responses import (
    DRY_RUN,
    DRY_RUN_RESPONSE,
    PAYMENT_PARAMETERS,
    PENDING,
    dry_run_response,
    is_dry_run,
    payment_response,
    request_identity,
)
from routing.identifiers import BotId
from routing.money import parse_currency
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import representation, representation_with_caps
from routing.payments.operations.charges import Charge, charge, dry_run_charge
from routing.payments.states import Status
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request


class ChargeSerializer(StrictSerializer):
    example = {"bot": "finance:invoice_bot", "amount": "19.99", "metadata": {"order": "4711"}}

    bot = String(help_text=BOT_HELP)
    amount = Amount(required=False, help_text="In the currency's main unit. Without it the route's price is charged.")
    quantity = Integer(required=False, help_text="How often the route's price is charged; 1 unless given.")
    price_id = String(required=False, help_text="May only repeat the route's.")
    currency = String(required=False, help_text="May only repeat the route's.")
    customer_id = String(required=False, help_text=CUSTOMER_HELP)
    description = String(required=False, allow_blank=True)
    metadata = StringMap(required=False)
    overrides = StringMap(required=False, help_text=OVERRIDES_HELP)


class ChargeFilters(django_filters.FilterSet):
    bot = django_filters.CharFilter(method="filter_bot", label="The bot, in either form of its name")
    status = django_filters.MultipleChoiceFilter(choices=Status.choices)
    kind = django_filters.ChoiceFilter(choices=[choice for choice in Kind.choices if choice[0] != Kind.CUSTOMER])
    idempotency_key = django_filters.CharFilter(label="The bot's own key of the payment")
    currency = django_filters.CharFilter(method="filter_currency")
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    def filter_bot(self, payments: QuerySet[Payment], _: str, name: str) -> QuerySet[Payment]:
        return payments.filter(bot=str(BotId.parse(name)))

    def filter_currency(self, payments: QuerySet[Payment], _: str, currency: str) -> QuerySet[Payment]:
        return payments.filter(currency=parse_currency(currency))


class ChargesView(StrictParameters, GenericAPIView[Payment]):
    scopes = {"POST": Scope.CHARGE, "GET": Scope.READ}
    queryset = Payment.objects.none()
    filter_backends = [StrictFilters]
    filterset_class = ChargeFilters
    pagination_class = NewestFirst
    write_parameters = frozenset({"dry_run"})

    @extend_schema(
        operation_id="charge",
        request=ChargeSerializer,
        parameters=[*PAYMENT_PARAMETERS, DRY_RUN],
        responses={200: DRY_RUN_RESPONSE, 201: schemas.Payment, 202: PENDING},
    )
    def post(self, request: Request) -> Response:
        """Charge an amount, or the route's price, at most once for the bot and idempotency key."""
        fields = ChargeSerializer.parse(request)
        bot = permitted_bot(request, fields.pop("bot"), fields.get("overrides"))
        if is_dry_run(request):
            identity = request_identity(request, default_key=f"dry-run-{uuid4()}")
            return dry_run_response(dry_run_charge(bot, Charge(**fields), **identity))
        return payment_response(charge(bot, Charge(**fields), **request_identity(request)))

    @extend_schema(operation_id="list_payments", responses={200: schemas.PaymentPage})
    def get(self, request: Request) -> Response:
        """List the payments of the token's bots, newest first."""
        page = self.paginate_queryset(self.filter_queryset(_permitted_payments(request)))
        return self.get_paginated_response([representation(payment) for payment in page or []])


class ChargeView(StrictParameters):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_payment", responses={200: schemas.Payment})
    def get(self, request: Request, payment_id: UUID, **_: Any) -> Response:
        """Return a payment as it stands, and what is left now of the caps on it."""
        return Response(representation_with_caps(get_object_or_404(_permitted_payments(request), id=payment_id)))


def _permitted_payments(request: Request) -> QuerySet[Payment]:
    """Return the payments of the bots that the token speaks for; a new customer is not one."""
    payments = Payment.objects.exclude(kind=Kind.CUSTOMER)
    return payments.filter(token_grant(request).bots.condition(bot="bot", domain="domain", category="category"))
