"""The pages of caps: how much bots may charge and refund, and how much of that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce, Now
from django.utils.text import capfirst
from unfold.widgets import UnfoldAdminTextInputWidget

from routing.access.models import BotToken, SpeaksElsewhere
from routing.admin.shared.appearance import EMPTY, format_amount
from routing.admin.shared.base import BaseAdmin
from routing.admin.shared.forms import RefusesKeys, currency_field
from routing.caps.models import Cap, Measure, Per, Since
from routing.errors import InvalidAmount
from routing.money import to_minor, to_text

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

_NO_CURRENCY = [("", "None (number of charges)")]


class CapForm(RefusesKeys, forms.ModelForm):  # type: ignore[type-arg]  # Django makes it generic for type checkers alone
    """Takes the limit as people write it, such as 500.00, and returns minor units."""

    limit = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        help_text="An amount in the currency, such as 500.00, or a number of charges.",
    )

    class Meta:
        model = Cap
        fields = ["domain", "category", "bot", "token", "measure", "per", "currency", "limit"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.currency:
            self.initial["limit"] = to_text(self.instance.limit, self.instance.currency)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            cleaned["limit"] = _parse_limit(cleaned.get("limit", ""), cleaned.get("currency", ""))
        except InvalidAmount as error:
            self.add_error("limit", str(error))
        except ValueError:
            self.add_error("limit", "Enter a whole number of charges.")
        return cleaned


def _parse_limit(text: str, currency: str) -> int:
    """Return minor units, or a number of charges. Zero is a limit too, although it is no amount to charge."""
    if text.strip("0.") == "":
        return 0
    return to_minor(text, currency) if currency else int(text)


@admin.register(Cap)
class CapAdmin(BaseAdmin):
    domain_lookup = "domain__slug"
    form = CapForm
    list_display = ["applies_to", "measure", "per", "limit_text", "used", "reserved", "remaining"]
    list_filter = ["measure", "per", "domain", "category"]
    search_fields = ["bot__name", "category__slug", "domain__slug", "token__name"]
    search_help_text = "Search by bot, business category, domain or token"
    empty_message = "No cap is set: bots may charge any amount. Add one for a bot, a category, a domain or everywhere."
    autocomplete_fields = ["bot", "token"]
    fieldsets = [
        (
            "Applies to",
            {
                "fields": ["bot", "category", "domain", "token"],
                "description": "Choose one, or none for a cap that applies everywhere.",
            },
        ),
        ("Limit", {"fields": ["measure", "per", "currency", "limit"]}),
    ]

    def within(self, rows: QuerySet[Cap], domains: frozenset[str]) -> QuerySet[Cap]:
        tokens = BotToken.objects.exclude(SpeaksElsewhere("bots", domains))
        return rows.filter(Q(domain__slug__in=domains) | Q(bot__domain__slug__in=domains) | Q(token__in=tokens))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cap]:
        caps = (
            super().get_queryset(request).select_related("domain", "category", "bot__domain", "bot__category", "token")
        )
        in_period = Q(usages__since__gte=Since("per", Now()))
        return caps.annotate(
            used_minor=Coalesce(Sum("usages__used", filter=in_period), 0),
            reserved_minor=Coalesce(Sum("usages__reserved", filter=in_period), 0),
        )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "currency":
            return currency_field(_NO_CURRENCY, required=False, empty_value="")
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description="applies to")
    def applies_to(self, cap: Cap) -> str:
        return capfirst(cap.scope)

    @admin.display(description="limit")
    def limit_text(self, cap: Cap) -> str:
        return _format_value(cap, cap.limit)

    @admin.display(description="used")
    def used(self, cap: Any) -> str:
        return _format_usage(cap, cap.used_minor)

    @admin.display(description="reserved")
    def reserved(self, cap: Any) -> str:
        return _format_usage(cap, cap.reserved_minor)

    @admin.display(description="remaining")
    def remaining(self, cap: Any) -> str:
        return _format_usage(cap, max(0, cap.limit - cap.used_minor - cap.reserved_minor))


def _format_usage(cap: Cap, value: int) -> str:
    return EMPTY if cap.per == Per.CHARGE else _format_value(cap, value)


def _format_value(cap: Cap, value: int) -> str:
    return f"{value:,}" if cap.measure == Measure.COUNT else format_amount(value, cap.currency)
