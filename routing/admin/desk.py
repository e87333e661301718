"""What the pages of the finance desk have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from babel.numbers import get_currency_name
from django import forms
from django.db import models
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from routing.money import CURRENCIES

if TYPE_CHECKING:
    from django.db.models import Field
    from django.http import HttpRequest


class DeskAdmin(ModelAdmin):
    """A page of the finance desk. ``when_empty`` says what to do where there is nothing yet."""

    when_empty = "There is nothing here yet."
    list_per_page = 50
    warn_unsaved_form = True

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave deleting to each one's own page, which says what goes with it."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


class ReadOnlyAdmin(DeskAdmin):
    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False


class RuleFields:
    """Form fields for what routes and overrides hold."""

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "currency":
            return _currency_field(db_field)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # of the admin beside it
        if isinstance(db_field, models.DateTimeField):
            field.label = f"{field.label} (UTC)"
        return field


def _currency_field(db_field: Field[Any, Any]) -> forms.TypedChoiceField:
    field = currency_names([("", "As the route")] if db_field.blank else [], required=not db_field.blank)
    field.initial = db_field.default if db_field.has_default() else None
    field.help_text = "The currency of the price."
    return field


def currency_names(
    first: list[tuple[str, str]], *, required: bool, empty_value: str | None = None
) -> forms.TypedChoiceField:
    """Return a choice among all currencies by code and name, with ``first`` before them."""
    names = [(code, f"{code.upper()}, {get_currency_name(code.upper(), locale='en')}") for code in sorted(CURRENCIES)]
    return forms.TypedChoiceField(
        choices=[*first, *names], required=required, empty_value=empty_value, widget=UnfoldAdminSelectWidget
    )
