"""Routes and overrides: what a call would take, what there is, and registering more."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import django_filters
from django.db.models import Q, Value
from django.db.models.functions import Concat, Now
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from routing.access.models import EVERY_BOT, Scope
from routing.api.authentication import grant_of, permitted_bot
from routing.api.lists import ById, StrictFilters
from routing.api.serializers import RegisterOverrideSerializer, RegisterRouteSerializer, ResolveSerializer
from routing.registry import snapshot
from routing.registry.changes import register_override, register_route
from routing.registry.models import Override, Route
from routing.registry.table import explain

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from routing.identifiers import BotId
    from routing.registry.table import Explanation

_Rule = TypeVar("_Rule", Route, Override)

_FIELDS = inline_serializer(
    "RouteFields",
    {
        "product_id": serializers.CharField(),
        "price_id": serializers.CharField(),
        "customer_id": serializers.CharField(),
        "currency": serializers.CharField(),
    },
)
_PLACE: dict[str, Any] = {
    "domain": serializers.CharField(),
    "region": serializers.CharField(allow_null=True),
    "business_category": serializers.CharField(),
    "bot_name": serializers.CharField(),
    "valid_from": serializers.DateTimeField(allow_null=True),
    "valid_until": serializers.DateTimeField(allow_null=True),
}
_ROUTE = inline_serializer("Route", {**_PLACE, "route": _FIELDS})
_OVERRIDE = inline_serializer(
    "Override",
    {
        **_PLACE,
        "key": serializers.CharField(),
        "value": serializers.CharField(),
        "route": serializers.DictField(child=serializers.CharField(), help_text="The fields that it changes."),
    },
)
_STEP = inline_serializer(
    "RoutingStep",
    {"rule": serializers.CharField(), "won": serializers.BooleanField(), "reason": serializers.CharField()},
    many=True,
)
_RESOLUTION = inline_serializer(
    "Resolution",
    {
        "bot": serializers.CharField(),
        "domain": serializers.CharField(),
        "region": serializers.CharField(),
        "overrides": serializers.DictField(child=serializers.CharField()),
        "registry_version": serializers.IntegerField(),
        "as_of": serializers.DateTimeField(),
        "route": _FIELDS,
        "explanation": _STEP,
    },
)


class ResolveView(APIView):
    scopes = {"POST": Scope.READ}

    @extend_schema(request=ResolveSerializer, responses=_RESOLUTION)
    def post(self, request: Request) -> Response:
        """Say which route a call would take and why, without calling Stripe."""
        form = ResolveSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        bot = permitted_bot(request, form.validated_data["bot"])
        qualifiers, as_of = form.validated_data.get("overrides", {}), form.validated_data.get("as_of")
        return Response(
            snapshot.decide(
                lambda current: _resolution(explain(current.table, bot, qualifiers, as_of or current.now()))
            )
        )


class _RuleFilters(django_filters.FilterSet):
    domain = django_filters.CharFilter("bot__domain__slug")
    region = django_filters.CharFilter("region__slug")
    business_category = django_filters.CharFilter("bot__category__slug")
    bot_name = django_filters.CharFilter("bot__name")


class RoutesView(GenericAPIView[Route]):
    scopes = {"GET": Scope.READ, "PUT": Scope.ROUTES_WRITE}
    queryset = Route.objects.none()
    filter_backends = [StrictFilters]
    filterset_class = _RuleFilters
    pagination_class = ById

    @extend_schema(responses=_ROUTE)
    def get(self, request: Request) -> Response:
        """List the routes in force of the token's bots."""
        page = self.paginate_queryset(self.filter_queryset(_in_force(Route.objects.all(), request)))
        return self.get_paginated_response([_route(route) for route in page or []])

    @extend_schema(request=RegisterRouteSerializer, responses={200: _ROUTE, 201: _ROUTE})
    def put(self, request: Request) -> Response:
        """Register a bot's route in a region, with the category, region and bot that it names; or change it."""
        form = RegisterRouteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        route, is_new = register_route(_named_bot(request, given), given["region"], given["route"])
        return Response(_route(route), status=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


class OverridesView(GenericAPIView[Override]):
    scopes = {"GET": Scope.READ, "PUT": Scope.ROUTES_WRITE}
    queryset = Override.objects.none()
    filter_backends = [StrictFilters]
    filterset_class = _RuleFilters
    pagination_class = ById

    @extend_schema(responses=_OVERRIDE)
    def get(self, request: Request) -> Response:
        """List the overrides in force of the token's bots."""
        page = self.paginate_queryset(self.filter_queryset(_in_force(Override.objects.all(), request)))
        return self.get_paginated_response([_override(rule) for rule in page or []])

    @extend_schema(request=RegisterOverrideSerializer, responses={200: _OVERRIDE, 201: _OVERRIDE})
    def put(self, request: Request) -> Response:
        """Register what changes on a bot's route when a caller names the qualifier; or change it."""
        form = RegisterOverrideSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        rule, is_new = register_override(
            _named_bot(request, given), given["region"], given["key"], given["value"], given["route"]
        )
        return Response(_override(rule), status=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


def _named_bot(request: Request, given: dict[str, Any]) -> BotId:
    return permitted_bot(request, f"{given['domain']}:{given['business_category']}:{given['bot_name']}")


def _in_force(rules: QuerySet[_Rule], request: Request) -> QuerySet[_Rule]:
    rules = rules.select_related("bot__domain", "bot__category", "region").filter(
        Q(valid_from=None) | Q(valid_from__lte=Now()), Q(valid_until=None) | Q(valid_until__gt=Now())
    )
    bots = grant_of(request).bots
    if EVERY_BOT in bots:
        return rules
    name = Concat("bot__domain__slug", Value(":"), "bot__category__slug", Value(":"), "bot__name")
    return rules.alias(bot_identifier=name).filter(bot_identifier__in=bots)


def _resolution(explained: Explanation) -> dict[str, Any]:
    steps = [asdict(step) for step in explained.steps]
    if explained.error:
        explained.error.context["explanation"] = steps
    found = explained.result()
    return {
        "bot": str(found.bot),
        "domain": found.domain.slug,
        "region": found.region,
        "overrides": dict(found.qualifiers),
        "registry_version": found.registry_version,
        "route": asdict(found.route),
        "as_of": found.as_of,
        "explanation": steps,
    }


def _route(route: Route) -> dict[str, Any]:
    fields = ("product_id", "price_id", "customer_id", "currency")
    return {**_place(route), "route": {name: getattr(route, name) for name in fields}}


def _override(rule: Override) -> dict[str, Any]:
    return {**_place(rule), "key": rule.key, "value": rule.value, "route": rule.changes()}


def _place(rule: Route | Override) -> dict[str, Any]:
    return {
        "domain": rule.bot.domain.slug,
        "region": rule.region.slug if rule.region else None,
        "business_category": rule.bot.category.slug,
        "bot_name": rule.bot.name,
        "valid_from": rule.valid_from,
        "valid_until": rule.valid_until,
    }
