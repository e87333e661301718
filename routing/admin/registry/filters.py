"""The filters above the lists of routes and overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models.functions import Now

from routing.registry.models import IN_FORCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList
    from django.db.models import QuerySet
    from django.http import HttpRequest


class ValidityFilter(admin.SimpleListFilter):
    """Whether a rule applies now, by the database's clock."""

    title = "status"
    parameter_name = "status"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("in_force", "In force"), ("scheduled", "Scheduled"), ("ended", "Ended")]

    def queryset(self, _request: HttpRequest, rules: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "in_force":
                return rules.filter(IN_FORCE)
            case "scheduled":
                return rules.filter(valid_from__gt=Now())
            case "ended":
                return rules.filter(valid_until__lte=Now())
        return rules


class CurrencyFilter(admin.AllValuesFieldListFilter):
    """The currencies that the rules have, in capitals."""

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        first, *others = super().choices(changelist)
        yield first
        for choice in others:
            yield {**choice, "display": str(choice["display"]).upper()}
