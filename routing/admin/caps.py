"""How much bots may move, and how much of it is left."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from routing.access.caps import Cap, CapUsage, Measure, Per
from routing.admin.appearance import NOTHING, amount
from routing.admin.desk import DeskAdmin, currency_names
from routing.errors import InvalidAmount
from routing.money import to_minor, to_text

if TYPE_CHECKING:
    from datetime import date

    from django.db.models import QuerySet
    from django.http import HttpRequest

NO_CURRENCY = [("", "None: it is a number of charges")]


class CapForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers alone
    """Takes the limit as people write it, 500.00, and keeps minor units."""

    limit = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        help_text="An amount in the currency's own units, such as 500.00; or a number of charges.",
    )

    class Meta:
        model = Cap
        fields = ["domain", "category", "bot", "measure", "per", "currency", "limit"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.currency:
            self.initial["limit"] = to_text(self.instance.limit, self.instance.currency)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        written, currency = cleaned.get("limit", ""), cleaned.get("currency", "")
        try:
            cleaned["limit"] = 0 if written.strip("0.") == "" else _value(written, currency)
        except (InvalidAmount, ValueError) as error:
            self.add_error(
                "limit", str(error) if isinstance(error, InvalidAmount) else "Give a whole number of charges."
            )
        return cleaned


def _value(written: str, currency: str) -> int:
    return to_minor(written, currency) if currency else int(written)


@admin.register(Cap)
class CapAdmin(DeskAdmin):
    form = CapForm
    list_display = ["on", "what", "every", "most", "used", "held", "left"]
    list_filter = ["measure", "per", "domain", "category"]
    search_fields = ["bot__name", "category__slug", "domain__slug"]
    search_help_text = "Search by bot, business category or domain"
    when_empty = "There is no cap: bots may charge any amount. Add one to limit a bot, a category, a domain or all."
    autocomplete_fields = ["bot"]
    fieldsets = [
        (
            "On what",
            {
                "fields": ["bot", "category", "domain"],
                "description": "Choose one; choose none for a cap on everything.",
            },
        ),
        ("How much", {"fields": ["measure", "per", "currency", "limit"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cap]:
        caps = super().get_queryset(request).select_related("domain", "category", "bot__domain", "bot__category")
        return caps.prefetch_related("usages")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "currency":
            return currency_names(NO_CURRENCY, required=False, empty_value="")
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description="on")
    def on(self, row: Cap) -> str:
        return row.scope

    @admin.display(description="limits", ordering="measure")
    def what(self, row: Cap) -> str:
        return row.get_measure_display()

    @admin.display(description="for", ordering="per")
    def every(self, row: Cap) -> str:
        return row.get_per_display()

    @admin.display(description="most")
    def most(self, row: Cap) -> str:
        return _written(row, row.limit)

    @admin.display(description="used now")
    def used(self, row: Cap) -> str:
        return NOTHING if row.per == Per.CHARGE else _written(row, _usage(row).used)

    @admin.display(description="held by open payments")
    def held(self, row: Cap) -> str:
        return NOTHING if row.per == Per.CHARGE else _written(row, _usage(row).held)

    @admin.display(description="left")
    def left(self, row: Cap) -> str:
        usage = _usage(row)
        return NOTHING if row.per == Per.CHARGE else _written(row, max(0, row.limit - usage.used - usage.held))


def _written(row: Cap, value: int) -> str:
    return f"{value:,}" if row.measure == Measure.COUNT else amount(value, row.currency)


def _usage(row: Cap) -> CapUsage:
    since = _period_start(Per(row.per))
    return next((usage for usage in row.usages.all() if usage.since == since), CapUsage(since=since))


def _period_start(per: Per) -> date:
    today = timezone.now().astimezone(UTC).date()
    return today.replace(day=1) if per == Per.MONTH else today
