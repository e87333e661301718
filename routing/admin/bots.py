"""A bot's page: who it is, what it bills in each region, and what changes when a caller names a qualifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponseRedirect
from django.urls import path, reverse
from unfold.admin import StackedInline
from unfold.decorators import action

from routing.admin.appearance import badge
from routing.admin.decision import decision_page
from routing.admin.desk import RuleFields
from routing.admin.editing import PageForm, PeriodsFormSet, RowForm
from routing.admin.filters import HOLDS_NOW
from routing.admin.pausing import PausingAdmin
from routing.admin.registry import RegistryAdmin
from routing.registry.models import Bot, Override, Region, Route

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.safestring import SafeString


_PAIRED = (("product_id", "price_id"), ("customer_id", "currency"), "valid_from", "valid_until")
_SEARCHED = ("product_id", "price_id", "customer_id")


class RoutePeriods(PeriodsFormSet):
    slot = ("region_id",)


class OverridePeriods(PeriodsFormSet):
    slot = ("region_id", "key", "value")


class RuleInline(RuleFields, StackedInline):
    form = RowForm
    extra = 0
    show_count = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("region")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "region":
            field.widget = field.widget.widget  # without links that leave the page half filled in
            empty = ("", "In every region" if db_field.blank else "Choose a region")
            field.choices = [empty, *Region.objects.values_list("pk", "slug")]  # read once, not once a row
        return field


class RouteInline(RuleInline):
    model = Route
    formset = RoutePeriods
    fields = ["region", *_PAIRED]


class OverrideInline(RuleInline):
    model = Override
    formset = OverridePeriods
    fields = ["region", ("key", "value"), *_PAIRED]


class BotForm(PageForm):
    def rows(self) -> list[QuerySet[Any]]:
        bot = self.instance.pk
        return [*super().rows(), Route.objects.filter(bot=bot), Override.objects.filter(bot=bot)]


@admin.register(Bot)
class BotAdmin(PausingAdmin, RegistryAdmin):
    form = BotForm
    fixed = ("domain", "category", "name")
    inlines = [RouteInline, OverrideInline]
    list_display = ["identifier", "owner", "billing", "route_count", "override_count"]
    list_filter = ["domain", "category", "is_paused"]
    search_fields = [
        "name",
        "owner",
        "domain__slug",
        "category__slug",
        *(f"{rules}__{field}" for rules in ("routes", "overrides") for field in _SEARCHED),
    ]
    search_help_text = "Name, owner, category, or price, product or customer id"
    when_empty = "No bot is registered yet. Add one, with a route for each region in which it bills."
    stops = "The bot cannot bill."
    readonly_fields = ["identifier", "billing"]
    actions_detail = ["check_a_call", "payments", "pause", "resume"]
    delete_confirmation_template = "admin/routing/delete_bot.html"

    def get_fieldsets(self, _request: HttpRequest, obj: Bot | None = None) -> Any:
        fields = ["domain", "category", "name", "owner"]
        return [(None, {"fields": ["identifier", "billing", *fields] if obj else fields})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Bot]:
        rows = super().get_queryset(request).select_related("domain", "category")
        return rows.annotate(routes_now=_count_in_force(Route), overrides_now=_count_in_force(Override))

    def get_search_results(self, request: HttpRequest, rows: QuerySet[Bot], term: str) -> tuple[QuerySet[Bot], bool]:
        """Find ``domain:category:name`` too: each part is a word of its own."""
        return super().get_search_results(request, rows, term.replace(":", " "))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(lambda request: decision_page(self.admin_site, request))
        return [path("try/", view, name="routing_decision"), *super().get_urls()]

    def has_ledger_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        """Say so here: a dotted permission on the action has Unfold read the database before it is migrated."""
        return request.user.has_perm("routing.view_payment")

    @action(description="Check a call", icon="quiz", permissions=["view"])
    def check_a_call(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return _see("admin:routing_decision", bot=self._name_of(request, object_id))

    @action(description="Its payments", icon="payments", permissions=["ledger"])
    def payments(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return _see("admin:routing_payment_changelist", q=self._name_of(request, object_id))

    @admin.display(description="bot", ordering="domain__slug")
    def identifier(self, row: Bot) -> str:
        return str(row)

    @admin.display(description="billing", ordering="is_paused")
    def billing(self, row: Bot) -> SafeString:
        if row.domain.is_paused:
            return badge("paused with its domain", "bad")
        return badge("paused with its category", "bad") if row.category.is_paused else super().billing(row)

    @admin.display(description="routes in force", ordering="routes_now")
    def route_count(self, row: Any) -> str:
        return row.routes_now or badge("none: cannot bill", "warning")

    @admin.display(description="overrides in force", ordering="overrides_now")
    def override_count(self, row: Any) -> int:
        return row.overrides_now

    def _name_of(self, request: HttpRequest, object_id: str) -> str:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return str(row)


def _count_in_force(model: type[Any]) -> Coalesce:
    rules = model.objects.order_by().filter(HOLDS_NOW, bot=OuterRef("pk")).values("bot").annotate(count=Count("pk"))
    return Coalesce(Subquery(rules.values("count")), 0)


def _see(page: str, **query: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse(page)}?{urlencode(query)}")
