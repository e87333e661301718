"""The pages of domains, regions and business categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count
from django.urls import path, reverse
from django.utils.html import format_html

from routing.access.staff import domains_of
from routing.admin.registry.base import RegistryAdmin
from routing.admin.registry.keys import keys_page
from routing.admin.registry.pausing import PausingAdmin
from routing.admin.shared.appearance import badge, stripe_ids
from routing.keys.source import KeyRef
from routing.registry.models import Category, Domain, Region

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.urls import URLPattern
    from django.utils.safestring import SafeString


@admin.register(Domain)
class DomainAdmin(PausingAdmin, RegistryAdmin):
    domain_lookup = "slug"
    list_display = ["slug", "billing", "stripe_account", "vault_path", "bot_count"]
    list_filter = ["is_paused"]
    search_fields = ["slug", "account_id"]
    search_help_text = "Search by name or Stripe account"
    pause_effect = "No bot in the domain can bill."
    ledger_column = "domain"
    readonly_fields = ["billing", "in_flight"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and domains_of(request.user) is None

    def get_fieldsets(self, _request: HttpRequest, obj: Domain | None = None) -> Any:
        fields = ["slug", "account_id", "key_path", "requires_cap", "requires_approval"]
        return [(None, {"fields": ["billing", "in_flight", *fields] if obj else fields})]

    def get_urls(self) -> list[URLPattern]:
        return [path("keys/", self.admin_site.admin_view(keys_page), name="routing_keys"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Domain]:
        return super().get_queryset(request).annotate(bot_total=Count("bots"))

    @admin.display(description="Stripe account", ordering="account_id")
    def stripe_account(self, domain: Domain) -> str:
        return stripe_ids(domain.account_id) if domain.account_id else badge("not confirmed", "warning")

    @admin.display(description="Vault path of the key")
    def vault_path(self, domain: Domain) -> str:
        return KeyRef.for_domain(domain.slug, domain.key_path).path

    @admin.display(description="bots", ordering="bot_total")
    def bot_count(self, domain: Any) -> SafeString:
        return _list_link("bot", domain.bot_total, domain__id__exact=domain.pk)


class SlugAdmin(RegistryAdmin):
    search_fields = ["slug"]
    search_help_text = "Search by name"
    fields = ["slug"]


@admin.register(Region)
class RegionAdmin(SlugAdmin):
    list_display = ["slug", "route_count"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        return super().get_queryset(request).annotate(route_total=Count("routes"))

    @admin.display(description="routes", ordering="route_total")
    def route_count(self, region: Any) -> SafeString:
        return _list_link("route", region.route_total, region__id__exact=region.pk)


@admin.register(Category)
class CategoryAdmin(PausingAdmin, SlugAdmin):
    list_display = ["slug", "billing", "bot_count"]
    list_filter = ["is_paused"]
    pause_effect = "No bot in the category can bill, in any domain."
    ledger_column = "category"
    readonly_fields = ["billing", "in_flight"]

    def get_fieldsets(self, request: HttpRequest, obj: Category | None = None) -> Any:
        in_flight = ["in_flight"] if domains_of(request.user) is None else []  # it is of every domain
        return [(None, {"fields": ["billing", *in_flight, "slug"] if obj else ["slug"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(bot_total=Count("bots"))

    @admin.display(description="bots", ordering="bot_total")
    def bot_count(self, category: Any) -> SafeString:
        return _list_link("bot", category.bot_total, category__id__exact=category.pk)


def _list_link(model: str, count: int, **filters: int) -> SafeString:
    """Return the count, with a link to the list of what was counted."""
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    url = f"{reverse(f'admin:routing_{model}_changelist')}?{query}"
    return format_html('<a class="text-link" href="{}">{}</a>', url, count)
