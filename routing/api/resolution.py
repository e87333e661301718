"""Which route a call would take, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from routing.access.models import Scope
from routing.api.authentication import permitted_bot
from routing.api.fields import BOT_HELP, OVERRIDES_HELP, StrictSerializer, String, StringMap
from routing.api.parameters import StrictParameters
from routing.registry import snapshot
from routing.registry.table import explain
from routing.timestamps import to_iso
from stripe_billing_router import schemas

if TYPE_CHECKING:
    from rest_framework.request import Request

    from routing.registry.table import Explanation


class ResolveSerializer(StrictSerializer):
    example = {"bot": "finance:invoice_bot", "overrides": {"region": "eu", "business": "enterprise"}}

    bot = String(help_text=BOT_HELP)
    overrides = StringMap(required=False, help_text=OVERRIDES_HELP)
    as_of = serializers.DateTimeField(required=False, help_text="ISO 8601; now unless given.")


class ResolveView(StrictParameters):
    scopes = {"POST": Scope.READ}

    @extend_schema(operation_id="resolve", request=ResolveSerializer, responses={200: schemas.Resolution})
    def post(self, request: Request) -> Response:
        """Return the route that a call would take, and why, without calling Stripe."""
        fields = ResolveSerializer.parse(request)
        bot = permitted_bot(request, fields["bot"])
        qualifiers, as_of = fields.get("overrides", {}), fields.get("as_of")
        return Response(
            snapshot.decide(
                lambda current: _representation(explain(current.table, bot, qualifiers, as_of or current.now()))
            )
        )


def _representation(explanation: Explanation) -> schemas.Resolution:
    """Return the resolution with its explanation, which the error carries where there is no resolution."""
    steps: list[schemas.RoutingStep] = [
        {"rule": step.rule, "won": step.won, "reason": step.reason} for step in explanation.steps
    ]
    if explanation.error:
        explanation.error.context["explanation"] = steps
    resolution = explanation.result()
    route = resolution.route
    return {
        "bot": str(resolution.bot),
        "domain": resolution.domain.slug,
        "region": resolution.region,
        "overrides": dict(resolution.qualifiers),
        "registry_version": resolution.registry_version,
        "as_of": to_iso(resolution.as_of),
        "route": {
            "product_id": route.product_id,
            "price_id": route.price_id,
            "customer_id": route.customer_id,
            "currency": route.currency,
        },
        "explanation": steps,
    }
