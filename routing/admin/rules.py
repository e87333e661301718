"""All routes and overrides, across bots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from routing.admin.appearance import in_force, period, stripe_ids
from routing.admin.desk import RuleFields
from routing.admin.filters import Currency, InForce
from routing.admin.registry import RegistryAdmin
from routing.registry.models import ROUTE_FIELDS, Override, Route

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString


class RuleAdmin(RuleFields, RegistryAdmin):
    fixed = ()
    autocomplete_fields = ["bot"]
    list_filter = ["bot__domain", "region", "bot__category", ("currency", Currency), InForce]
    search_fields = ["product_id", "price_id", "customer_id", "bot__name", "bot__category__slug", "bot__domain__slug"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("bot__domain", "bot__category", "region")

    def get_search_results(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """Find ``domain:category:name`` too: each part is a word of its own."""
        return super().get_search_results(request, rows, term.replace(":", " ").replace("=", " "))

    @admin.display(description="Stripe's ids")
    def at_stripe(self, row: Any) -> str:
        return stripe_ids(row.product_id, row.price_id, row.customer_id)

    @admin.display(description="currency", ordering="currency")
    def in_capitals(self, row: Any) -> str:
        return (row.currency or "").upper() or "as the route"

    @admin.display(description="in force")
    def state(self, row: Any) -> SafeString:
        return in_force(row)

    @admin.display(description="period", ordering="valid_from")
    def holds(self, row: Any) -> str:
        return period(row)


@admin.register(Route)
class RouteAdmin(RuleAdmin):
    list_display = ["bot", "region", "at_stripe", "in_capitals", "state", "holds"]
    search_help_text = "Bot, or product, price or customer id"
    when_empty = "No route is registered yet. A route says what a bot bills in a region."
    fields = ["bot", "region", *ROUTE_FIELDS, "valid_from", "valid_until"]


@admin.register(Override)
class OverrideAdmin(RuleAdmin):
    list_display = ["bot", "qualifier", "where", "at_stripe", "in_capitals", "state", "holds"]
    search_fields = [*RuleAdmin.search_fields, "key", "value"]
    search_help_text = "Bot, qualifier, or product, price or customer id"
    when_empty = (
        "No override is registered yet. An override changes a bot's price, product, customer or currency when the "
        "caller names a qualifier, such as business=enterprise."
    )
    fields = ["bot", "key", "value", "region", *ROUTE_FIELDS, "valid_from", "valid_until"]

    @admin.display(description="when the caller says", ordering="key")
    def qualifier(self, row: Override) -> str:
        return f"{row.key}={row.value}"

    @admin.display(description="region", ordering="region__slug")
    def where(self, row: Override) -> str:
        return str(row.region or "every region")
