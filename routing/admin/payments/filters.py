"""The filters above the list of payments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from babel.dates import format_date
from django.contrib import admin
from django.db.models import Q

from routing.admin.shared.base import visible
from routing.admin.shared.in_flight import IN_FLIGHT
from routing.payments.kinds import CHARGES, Kind
from routing.payments.states import Status
from routing.registry.models import Category, Domain, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from routing.payments.ledger.models import Payment

_LISTED_MONTHS = 12
"""Months that the filter on the creation time offers, the current one included."""

ALL_KINDS = "all"
"""The filter's value for everything in the ledger, new customers included."""

ALL_CHARGES = "charges"
"""The filter's value for what collects money, of whatever type."""

SUCCEEDED, FAILED = "succeeded", "failed"
FAILED_STATUSES = (Status.DECLINED, Status.REJECTED)
_OUTCOMES = {
    "open": ("Open (in flight)", Q(settled_at=None)),
    "final": ("Final", Q(settled_at__isnull=False)),
    SUCCEEDED: ("Succeeded", Q(status=Status.SUCCEEDED, is_reversed=False)),
    FAILED: ("Declined or rejected", Q(status__in=FAILED_STATUSES)),
}
"""The label and the condition of each value of the filter on outcomes."""


class KindFilter(admin.SimpleListFilter):
    """Leaves out new customers unless they are chosen: they are in the ledger, but are no payments."""

    title = "type"
    parameter_name = "kind"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        kinds = [(kind.value, kind.label.capitalize()) for kind in Kind]
        return [(ALL_CHARGES, "All, without refunds"), *kinds, (ALL_KINDS, "All, with new customers")]

    def queryset(self, _request: HttpRequest, payments: QuerySet[Payment]) -> QuerySet[Payment]:
        if self.value() == ALL_KINDS:
            return payments
        if self.value() == ALL_CHARGES:
            return payments.filter(kind__in=CHARGES)
        return payments.filter(kind=self.value()) if self.value() else payments.exclude(kind=Kind.CUSTOMER)

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        first, *others = super().choices(changelist)
        yield {**first, "display": "All payments"}
        yield from others


class OutcomeFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = IN_FLIGHT

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(value, label) for value, (label, _) in _OUTCOMES.items()]

    def queryset(self, _request: HttpRequest, payments: QuerySet[Payment]) -> QuerySet[Payment]:
        _, condition = _OUTCOMES.get(self.value() or "", ("", Q()))
        return payments.filter(condition)


class CreatedFilter(admin.SimpleListFilter):
    """A day or a month in UTC; the index on the creation time serves each."""

    title = "created (UTC)"
    parameter_name = "period"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        days = [("today", "Today"), ("yesterday", "Yesterday"), ("week", "Last 7 days")]
        return days + [(f"{month:%Y-%m}", format_date(month, "MMMM yyyy", locale="en")) for month in _months()]

    def queryset(self, _request: HttpRequest, payments: QuerySet[Payment]) -> QuerySet[Payment]:
        period = _period(self.value() or "")
        return payments.filter(created_at__gte=period[0], created_at__lt=period[1]) if period else payments


class _RegistryFilter(admin.SimpleListFilter):
    """Offers the registry's values: reading the ledger's own would scan all of it."""

    field: ClassVar[str]

    def values(self, request: HttpRequest) -> list[str]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(value, self.display(value)) for value in self.values(request)]

    def display(self, value: str) -> str:
        return value

    def queryset(self, _request: HttpRequest, payments: QuerySet[Payment]) -> QuerySet[Payment]:
        return payments.filter(**{self.field: self.value()}) if self.value() else payments


class DomainFilter(_RegistryFilter):
    title = parameter_name = field = "domain"

    def values(self, request: HttpRequest) -> list[str]:
        return list(visible(request, Domain).values_list("slug", flat=True))


class CategoryFilter(_RegistryFilter):
    title = "business category"
    parameter_name = field = "category"

    def values(self, _request: HttpRequest) -> list[str]:
        return list(Category.objects.values_list("slug", flat=True))


class CurrencyFilter(_RegistryFilter):
    title = parameter_name = field = "currency"

    def values(self, request: HttpRequest) -> list[str]:
        return sorted(visible(request, Route).order_by().values_list("currency", flat=True).distinct())

    def display(self, value: str) -> str:
        return value.upper()


def _months() -> list[datetime]:
    """Return the first moments of the current month and of those before it."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = [month]
    while len(months) < _LISTED_MONTHS:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


def _period(name: str) -> tuple[datetime, datetime] | None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = today + timedelta(days=1)
    match name:
        case "":
            return None
        case "today":
            return today, tomorrow
        case "yesterday":
            return today - timedelta(days=1), today
        case "week":
            return tomorrow - timedelta(days=7), tomorrow
    try:
        month = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        return None
    return month, (month + timedelta(days=31)).replace(day=1)
