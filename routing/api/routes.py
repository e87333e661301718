"""Listing and registering routes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

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
from routing.payments.operations.route_prices import require_matching_price
from routing.registry.changes import register_route
from routing.registry.models import Route
from routing.timestamps import to_iso
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class RegisterRouteSerializer(StrictSerializer):
    example = {
        "business_category": "finance",
        "bot_name": "invoice_bot",
        "region": "eu",
        "route": {
            "product_id": "prod_A1b2C3",
            "price_id": "price_D4e5F6",
            "customer_id": "cus_G7h8I9",
            "currency": "usd",
        },
    }

    domain = String(default="stripe")
    region = String(default="default")
    business_category = String()
    bot_name = String()
    route = TypedDictField(schemas.NewRoute)


class RoutesView(StrictParameters, GenericAPIView[Route]):
    scopes = {"GET": Scope.READ, "PUT": Scope.ROUTES_WRITE}
    queryset = Route.objects.none()
    filter_backends = [StrictFilters]
    filterset_class = RuleFilters
    pagination_class = ById

    @extend_schema(operation_id="list_routes", responses={200: schemas.RoutePage})
    def get(self, request: Request) -> Response:
        """List the routes in force of the token's bots."""
        page = self.paginate_queryset(self.filter_queryset(permitted_rules(Route.objects.all(), request)))
        return self.get_paginated_response([_representation(route) for route in page or []])

    @extend_schema(
        operation_id="register_route",
        request=RegisterRouteSerializer,
        responses={200: schemas.Route, 201: schemas.Route, 202: schemas.Change},
    )
    def put(self, request: Request) -> Response:
        """Register a bot's route in a region, or change it; a category, region or bot that is new is created."""
        fields = RegisterRouteSerializer.parse(request)
        bot = named_bot(request, fields)
        require_matching_price(bot.domain, fields["route"])
        permit = partial(require_own_customer, speaks_for=token_grant(request).bots.__contains__)
        return register(lambda: register_route(bot, fields["region"], fields["route"], permit=permit), _representation)


def _representation(route: Route) -> schemas.Route:
    return {
        "domain": route.bot.domain.slug,
        "region": route.region.slug,
        "business_category": route.bot.category.slug,
        "bot_name": route.bot.name,
        "valid_from": to_iso(route.valid_from),
        "valid_until": to_iso(route.valid_until),
        "route": {
            "product_id": route.product_id,
            "price_id": route.price_id,
            "customer_id": route.customer_id,
            "currency": route.currency,
        },
    }
