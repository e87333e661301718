"""The choices above a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from babel.dates import format_date
from django.contrib import admin
from django.db.models import Q
from django.db.models.functions import Now

from routing.payments.kinds import Kind
from routing.registry.models import Category, Domain, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList
    from django.db.models import QuerySet
    from django.http import HttpRequest

_MONTHS = 12
"""Months that the period filter names, the current one included."""


class InForce(admin.SimpleListFilter):
    """Whether a period of validity holds now, by the database's clock."""

    title = "in force"
    parameter_name = "in_force"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "Now"), ("future", "In future"), ("ended", "Ended")]

    def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "now":
                return rows.filter(HOLDS_NOW)
            case "future":
                return rows.filter(valid_from__gt=Now())
            case "ended":
                return rows.filter(valid_until__lte=Now())
        return rows


HOLDS_NOW = (Q(valid_from=None) | Q(valid_from__lte=Now())) & (Q(valid_until=None) | Q(valid_until__gt=Now()))


class Currency(admin.AllValuesFieldListFilter):
    """The currencies that the registry has ever used, in capitals."""

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        first, *others = super().choices(changelist)
        yield first
        for choice in others:
            yield {**choice, "display": str(choice["display"]).upper()}


class What(admin.SimpleListFilter):
    """Payments, unless something else is asked for: a new customer is in the ledger, but is none."""

    title = "what"
    parameter_name = "what"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, kind.label.capitalize()) for kind in Kind] + [("everything", "Everything")]

    def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "everything":
            return rows
        return rows.filter(kind=self.value()) if self.value() else rows.exclude(kind=Kind.CUSTOMER)

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        first, *others = super().choices(changelist)
        yield {**first, "display": "All payments"}
        yield from others


class CreatedIn(admin.SimpleListFilter):
    """A day or a month in UTC; the index on the time of creation serves each."""

    title = "created (UTC)"
    parameter_name = "period"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        days = [("today", "Today"), ("yesterday", "Yesterday"), ("week", "Last 7 days")]
        return days + [(f"{month:%Y-%m}", format_date(month, "MMMM yyyy", locale="en")) for month in _months()]

    def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        period = _period(self.value() or "")
        return rows.filter(created_at__gte=period[0], created_at__lt=period[1]) if period else rows


class _FromRegistry(admin.SimpleListFilter):
    """The registry's names: asking the ledger for its own would read all of it."""

    field: ClassVar[str]

    def names(self) -> list[str]:
        raise NotImplementedError

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(name, self.shown(name)) for name in self.names()]

    def shown(self, name: str) -> str:
        return name

    def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(**{self.field: self.value()}) if self.value() else rows


class LedgerDomain(_FromRegistry):
    title = parameter_name = field = "domain"

    def names(self) -> list[str]:
        return list(Domain.objects.values_list("slug", flat=True))


class LedgerCategory(_FromRegistry):
    title = "business category"
    parameter_name = field = "category"

    def names(self) -> list[str]:
        return list(Category.objects.values_list("slug", flat=True))


class LedgerCurrency(_FromRegistry):
    title = parameter_name = field = "currency"

    def names(self) -> list[str]:
        return sorted(Route.objects.order_by().values_list("currency", flat=True).distinct())

    def shown(self, name: str) -> str:
        return name.upper()


def _months() -> list[datetime]:
    """Return the first moments of the current month and of those before it."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = [month]
    while len(months) < _MONTHS:
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
