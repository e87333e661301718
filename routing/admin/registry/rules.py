"""The lists of all routes and of all overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from routing.admin.registry.base import RegistryAdmin
from routing.admin.registry.filters import CurrencyFilter, ValidityFilter
from routing.admin.registry.forms import RuleFields
from routing.admin.registry.validity import format_period, validity_badge, with_read_time
from routing.admin.shared.appearance import stripe_ids
from routing.registry.models import ROUTE_FIELDS, Override, Route

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString


class RuleAdmin(RuleFields, RegistryAdmin):
    domain_lookup = "bot__domain__slug"
    fixed_fields = ()
    autocomplete_fields = ["bot"]
    list_filter = ["bot__domain", "region", "bot__category", ("currency", CurrencyFilter), ValidityFilter]
    search_fields = ["product_id", "price_id", "customer_id", "bot__name", "bot__category__slug", "bot__domain__slug"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_read_time(super().get_queryset(request)).select_related("bot__domain", "bot__category", "region")

    def get_search_results(self, request: HttpRequest, rules: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """Find ``domain:category:name`` and ``key=value`` too, by searching for each part."""
        return super().get_search_results(request, rules, term.replace(":", " ").replace("=", " "))

    @admin.display(description="Stripe IDs")
    def ids(self, rule: Any) -> str:
        return stripe_ids(rule.product_id, rule.price_id, rule.customer_id)

    @admin.display(description="currency", ordering="currency")
    def currency_code(self, rule: Any) -> str:
        return (rule.currency or "").upper() or "same as the route"

    @admin.display(description="status")
    def validity(self, rule: Any) -> SafeString:
        return validity_badge(rule)

    @admin.display(description="period", ordering="valid_from")
    def period(self, rule: Any) -> str:
        return format_period(rule)


@admin.register(Route)
class RouteAdmin(RuleAdmin):
    list_display = ["bot", "region", "ids", "currency_code", "validity", "period"]
    search_help_text = "Search by bot, or by product, price or customer ID"
    empty_message = "No route is registered yet. A route says which price and customer a bot bills in a region."
    fields = ["bot", "region", *ROUTE_FIELDS, "valid_from", "valid_until"]


@admin.register(Override)
class OverrideAdmin(RuleAdmin):
    list_display = ["bot", "qualifier", "region_text", "ids", "currency_code", "validity", "period"]
    search_fields = [*RuleAdmin.search_fields, "key", "value"]
    search_help_text = "Search by bot or qualifier, or by product, price or customer ID"
    empty_message = (
        "No override is registered yet. An override changes the product, price, customer or currency of a bot's route "
        "for calls with a qualifier, such as business=enterprise."
    )
    fields = ["bot", "key", "value", "region", *ROUTE_FIELDS, "valid_from", "valid_until"]

    @admin.display(description="qualifier", ordering="key")
    def qualifier(self, override: Override) -> str:
        return f"{override.key}={override.value}"

    @admin.display(description="region", ordering="region__slug")
    def region_text(self, override: Override) -> str:
        return str(override.region or "every region")
