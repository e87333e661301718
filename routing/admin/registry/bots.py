"""A bot's page: its name and owner, its routes, and its overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.forms import BooleanField, Form
from django.http import Http404, HttpResponseRedirect
from django.urls import path, reverse
from unfold.admin import StackedInline
from unfold.decorators import action
from unfold.widgets import UnfoldBooleanWidget

from routing.admin.registry.base import RegistryAdmin
from routing.admin.registry.check_call import check_call_page
from routing.admin.registry.forms import InlineRuleForm, PageForm, PeriodsFormSet, RuleFields
from routing.admin.registry.pausing import PausingAdmin
from routing.admin.registry.validity import with_read_time
from routing.admin.shared.appearance import badge
from routing.admin.shared.confirmation import is_confirmed
from routing.jobs import cancel_subscriptions_of
from routing.payments.operations.cancellations import running_subscriptions
from routing.registry.models import IN_FORCE, Bot, Override, Region, Route

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.safestring import SafeString


_RULE_FIELDS = (("product_id", "price_id"), ("customer_id", "currency"), "valid_from", "valid_until")
"""In the order of the form; a pair shares a line."""

_SEARCHED_RULE_FIELDS = ("product_id", "price_id", "customer_id")


class RoutesFormSet(PeriodsFormSet):
    exclusive_by = ("region_id",)


class OverridesFormSet(PeriodsFormSet):
    exclusive_by = ("region_id", "key", "value")


class RuleInline(RuleFields, StackedInline):
    form = InlineRuleForm
    extra = 0
    show_count = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_read_time(super().get_queryset(request)).select_related("region")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "region":
            field.widget = field.widget.widget  # without links that leave the page half filled in
            empty = ("", "Every region" if db_field.blank else "Choose a region")
            field.choices = [empty, *Region.objects.values_list("pk", "slug")]  # read once, not once a form
        return field


class RouteInline(RuleInline):
    model = Route
    formset = RoutesFormSet
    fields = ["region", *_RULE_FIELDS]


class OverrideInline(RuleInline):
    model = Override
    formset = OverridesFormSet
    fields = ["region", ("key", "value"), *_RULE_FIELDS]


class BotForm(PageForm):
    def edited_rows(self) -> list[QuerySet[Any]]:
        bot = self.instance.pk
        return [*super().edited_rows(), Route.objects.filter(bot=bot), Override.objects.filter(bot=bot)]


class SubscriptionsForm(Form):
    cancel_subscriptions = BooleanField(
        required=False,
        label="Also cancel its subscriptions",
        widget=UnfoldBooleanWidget,
        help_text="At Stripe, now: the customers are not charged for another period. Unless you choose this, the "
        "subscriptions go on, and are renewed and collected while the bot is paused.",
    )


@admin.register(Bot)
class BotAdmin(PausingAdmin, RegistryAdmin):
    domain_lookup = "domain__slug"
    form = BotForm
    fixed_fields = ("domain", "category", "name")
    inlines = [RouteInline, OverrideInline]
    list_display = ["identifier", "owner", "billing", "route_count", "override_count"]
    list_filter = ["domain", "category", "is_paused"]
    search_fields = [
        "name",
        "owner",
        "domain__slug",
        "category__slug",
        *(f"{rules}__{field}" for rules in ("routes", "overrides") for field in _SEARCHED_RULE_FIELDS),
    ]
    search_help_text = "Search by bot, owner, or product, price or customer ID"
    empty_message = "No bot is registered yet. Add one, with a route for each region that it bills in."
    pause_effect = "The bot cannot bill."
    ledger_column = "bot"
    readonly_fields = ["identifier", "billing", "in_flight"]
    actions_detail = ["check_call", "payments", "pause", "resume"]
    delete_confirmation_template = "admin/routing/delete_bot.html"

    def pause_form(self, request: HttpRequest, rows: list[Bot]) -> SubscriptionsForm | None:
        if not any(running_subscriptions(str(bot)).exists() for bot in rows):
            return None
        return SubscriptionsForm(request.POST if is_confirmed(request) else None)

    def after_pause(self, rows: list[Bot], form: Form) -> None:
        if form.cleaned_data["cancel_subscriptions"]:
            for bot in rows:
                cancel_subscriptions_of(str(bot))

    def get_fieldsets(self, _request: HttpRequest, obj: Bot | None = None) -> Any:
        fields = ["domain", "category", "name", "owner"]
        return [(None, {"fields": ["identifier", "billing", "in_flight", *fields] if obj else fields})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Bot]:
        bots = super().get_queryset(request).select_related("domain", "category")
        return bots.annotate(routes_in_force=_count_in_force(Route), overrides_in_force=_count_in_force(Override))

    def get_search_results(self, request: HttpRequest, bots: QuerySet[Bot], term: str) -> tuple[QuerySet[Bot], bool]:
        """Find ``domain:category:name`` too, by searching for each part."""
        return super().get_search_results(request, bots, term.replace(":", " "))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(check_call_page)
        return [path("check-call/", view, name="routing_check_call"), *super().get_urls()]

    def has_payments_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        """Check it here: for a dotted permission on the action, Unfold reads the database before it is migrated."""
        return request.user.has_perm("routing.view_payment")

    @action(description="Check a call", icon="quiz", permissions=["view"])
    def check_call(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return _redirect("admin:routing_check_call", bot=self._identifier(request, object_id))

    @action(description="Payments", icon="payments", permissions=["payments"])
    def payments(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return _redirect("admin:routing_payment_changelist", q=self._identifier(request, object_id))

    @admin.display(description="bot", ordering="domain__slug")
    def identifier(self, bot: Bot) -> str:
        return str(bot)

    @admin.display(description="billing", ordering="is_paused")
    def billing(self, bot: Bot) -> SafeString:
        if bot.domain.is_paused:
            return badge("domain paused", "bad")
        return badge("category paused", "bad") if bot.category.is_paused else super().billing(bot)

    @admin.display(description="routes in force", ordering="routes_in_force")
    def route_count(self, bot: Any) -> str:
        return bot.routes_in_force or badge("none: cannot bill", "warning")

    @admin.display(description="overrides in force", ordering="overrides_in_force")
    def override_count(self, bot: Any) -> int:
        return bot.overrides_in_force

    def _identifier(self, request: HttpRequest, object_id: str) -> str:
        bot = self.get_object(request, object_id)
        if bot is None:
            raise Http404
        return str(bot)


def _count_in_force(model: type[Any]) -> Coalesce:
    rules = model.objects.order_by().filter(IN_FORCE, bot=OuterRef("pk")).values("bot").annotate(count=Count("pk"))
    return Coalesce(Subquery(rules.values("count")), 0)


def _redirect(page: str, **query: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse(page)}?{urlencode(query)}")
