"""Listing and registering overrides."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView

from routing.access.models import Scope
from routing.api.authentication import token_grant
from routing.api.changes import register
from routing.api.fields import StrictSerializer, String, TypedDictField
from routing.api.lists import ById, StrictFilters
from routing.api.parameters import StrictParameters
from routing.api.registered_rules import RuleFilters, named_bot, permitted_rules
from routing.payments.customer_owners import require_own_customer
from routing.registry.changes import register_override
from routing.registry.models import Override
from routing.timestamps import to_iso
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class RegisterOverrideSerializer(StrictSerializer):
    example = {
        "business_category": "finance",
        "bot_name": "invoice_bot",
        "key": "business",
        "value": "enterprise",
        "route": {"price_id": "price_D4e5F6"},
    }

    domain = String(default="stripe")
    region = String(required=False, allow_null=True, default=None, help_text="Every region unless given.")
    business_category = String()
    bot_name = String()
    key = String()
    value = String()
    route = TypedDictField(schemas.RouteChanges)


class OverridesView(StrictParameters, GenericAPIView[Override]):
    scopes = {"GET": Scope.READ, "PUT": Scope.ROUTES_WRITE}
    queryset = Override.objects.none()
    filter_backends = [StrictFilters]
    filterset_class = RuleFilters
    pagination_class = ById

    @extend_schema(operation_id="list_overrides", responses={200: schemas.OverridePage})
    def get(self, request: Request) -> Response:
        """List the overrides in force of the token's bots."""
        page = self.paginate_queryset(self.filter_queryset(permitted_rules(Override.objects.all(), request)))
        return self.get_paginated_response([_representation(override) for override in page or []])

    @extend_schema(
        operation_id="register_override",
        request=RegisterOverrideSerializer,
        responses={200: schemas.Override, 201: schemas.Override, 202: schemas.Change},
    )
    def put(self, request: Request) -> Response:
        """Register what changes on a bot's routes for callers that pass the qualifier; or change it."""
        fields = RegisterOverrideSerializer.parse(request)
        bot = named_bot(request, fields)
        permit = partial(require_own_customer, speaks_for=token_grant(request).bots.__contains__)
        return register(
            lambda: register_override(
                bot, fields["region"], fields["key"], fields["value"], fields["route"], permit=permit
            ),
            _representation,
        )


def _representation(override: Override) -> schemas.Override:
    return {
        "domain": override.bot.domain.slug,
        "region": override.region.slug if override.region else None,
        "business_category": override.bot.category.slug,
        "bot_name": override.bot.name,
        "valid_from": to_iso(override.valid_from),
        "valid_until": to_iso(override.valid_until),
        "key": override.key,
        "value": override.value,
        "route": cast("schemas.RouteChanges", override.changes()),
    }
