"""Domains, regions and business categories: what bots, routes and overrides are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Count
from django.urls import path, reverse
from django.utils.html import format_html

from routing.admin.appearance import badge, stripe_ids
from routing.admin.editing import PageAdmin
from routing.admin.keys import keys_page
from routing.admin.pausing import PausingAdmin
from routing.registry.models import Category, Domain, Region

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest
    from django.urls import URLPattern


class RegistryAdmin(PageAdmin):
    fixed: ClassVar[tuple[str, ...]] = ("slug",)
    """By which bots call: they cannot be changed later."""

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        shown = tuple(super().get_readonly_fields(request, obj))
        return (*shown, *self.fixed) if obj else shown


@admin.register(Domain)
class DomainAdmin(PausingAdmin, RegistryAdmin):
    list_display = ["slug", "billing", "stripe_account", "key_lies_at", "bot_count"]
    list_filter = ["is_paused"]
    search_fields = ["slug", "account_id"]
    search_help_text = "Search by name or Stripe account"
    stops = "No bot of the domain can bill."
    readonly_fields = ["billing"]

    def get_fieldsets(self, _request: HttpRequest, obj: Domain | None = None) -> Any:
        fields = ["slug", "account_id", "key_path"]
        return [(None, {"fields": ["billing", *fields] if obj else fields})]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(lambda request: keys_page(self.admin_site, request))
        return [path("keys/", view, name="routing_keys"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Domain]:
        return super().get_queryset(request).annotate(bots_of_it=Count("bots"))

    @admin.display(description="Stripe account", ordering="account_id")
    def stripe_account(self, row: Domain) -> str:
        return stripe_ids(row.account_id) if row.account_id else badge("not checked", "quiet")

    @admin.display(description="where its key lies in Vault")
    def key_lies_at(self, row: Domain) -> str:
        return row.key_path or f"secret/data/stripe/{row.slug}"

    @admin.display(description="bots", ordering="bots_of_it")
    def bot_count(self, row: Any) -> str:
        bots = reverse("admin:routing_bot_changelist")
        return format_html('<a class="text-link" href="{}?domain__id__exact={}">{}</a>', bots, row.pk, row.bots_of_it)


class NameAdmin(RegistryAdmin):
    search_fields = ["slug"]
    search_help_text = "Search by name"
    fields = ["slug"]


@admin.register(Region)
class RegionAdmin(NameAdmin):
    list_display = ["slug", "route_count"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        return super().get_queryset(request).annotate(routes_in_it=Count("routes"))

    @admin.display(description="routes", ordering="routes_in_it")
    def route_count(self, row: Any) -> str:
        routes = reverse("admin:routing_route_changelist")
        return format_html(
            '<a class="text-link" href="{}?region__id__exact={}">{}</a>', routes, row.pk, row.routes_in_it
        )


@admin.register(Category)
class CategoryAdmin(PausingAdmin, NameAdmin):
    list_display = ["slug", "billing", "bot_count"]
    list_filter = ["is_paused"]
    stops = "No bot of the category can bill, in any domain."
    readonly_fields = ["billing"]

    def get_fieldsets(self, _request: HttpRequest, obj: Category | None = None) -> Any:
        return [(None, {"fields": ["billing", "slug"] if obj else ["slug"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(bots_in_it=Count("bots"))

    @admin.display(description="bots", ordering="bots_in_it")
    def bot_count(self, row: Any) -> str:
        bots = reverse("admin:routing_bot_changelist")
        return format_html('<a class="text-link" href="{}?category__id__exact={}">{}</a>', bots, row.pk, row.bots_in_it)
