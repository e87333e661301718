"""The registry's forms: they refuse an edit of an outdated page, and periods that overlap."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from unfold.forms import PaginationInlineFormSet

from routing.admin.registry.validity import rule_heading
from routing.admin.shared.forms import ConstraintForm, currency_field

if TYPE_CHECKING:
    from django.db.models import BaseConstraint, Field, Model, QuerySet
    from django.http import HttpRequest

OUTDATED = "Somebody changed this after you opened the page. Reload it to see their change, then make yours."


class _HiddenVersion(forms.CharField):
    """The version of the page that was shown. It is no change that anybody made."""

    widget = forms.HiddenInput

    def has_changed(self, _initial: Any, _data: Any) -> bool:
        return False


class PageForm(ConstraintForm):
    """The form of a whole page. It carries the page's version, and is refused once that is outdated.

    ``conflict`` is the error with which the database refused the same request a moment ago, if it did.
    """

    page_version = _HiddenVersion(required=False)
    conflict: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound and self.instance.pk:
            self.initial["page_version"] = _fingerprint(self.edited_rows())

    def edited_rows(self) -> list[QuerySet[Any]]:
        """Return all rows that the page edits."""
        return [type(self.instance)._default_manager.filter(pk=self.instance.pk)]  # noqa: SLF001 (Django's public name)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.conflict:
            self.add_error(None, self.conflict)
        if self.instance.pk and self.cleaned_data.get("page_version") != _fingerprint(self.edited_rows()):
            self.add_error(None, OUTDATED)
        return cleaned


class InlineRuleForm(ConstraintForm):
    """A route or an override on its bot's page. The formset validates overlaps: it has all rules as they will be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.instance.get_inline_title = rule_heading(self.instance)  # Unfold's heading of the form

    def is_validated_elsewhere(self, constraint: BaseConstraint) -> bool:
        return isinstance(constraint, ExclusionConstraint)


class PeriodsFormSet(PaginationInlineFormSet):
    """Rules of which no two may apply at once where they have the same ``exclusive_by``."""

    exclusive_by: tuple[str, ...] = ()

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if _is_kept(form)]
        for form, later in combinations(kept, 2):
            if self._excluded(form) == self._excluded(later) and form.instance.period.overlaps(later.instance.period):
                later.add_error("valid_from", _overlap_error(self.model))

    def _excluded(self, form: InlineRuleForm) -> tuple[Any, ...]:
        return tuple(getattr(form.instance, name) for name in self.exclusive_by)


class RuleFields:
    """For an admin class: the form fields of routes and overrides."""

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "currency":
            return _rule_currency_field(db_field)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # of the admin beside it
        if isinstance(db_field, models.DateTimeField):
            field.label = f"{field.label} (UTC)"
        return field


def _fingerprint(rows: list[QuerySet[Any]]) -> str:
    values = [list(found.order_by("pk").values_list()) for found in rows]
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def _is_kept(form: InlineRuleForm) -> bool:
    if form.errors or form.cleaned_data.get("DELETE"):
        return False
    return form.has_changed() or form.instance.pk is not None


def _overlap_error(model: type[Model]) -> str:
    return next(str(c.violation_error_message) for c in model._meta.constraints if isinstance(c, ExclusionConstraint))  # noqa: SLF001 (Django's documented API)


def _rule_currency_field(db_field: Field[Any, Any]) -> forms.TypedChoiceField:
    first = ("", "Same as the route") if db_field.blank else ("", "Choose")
    field = currency_field([first], required=not db_field.blank)
    field.help_text = "The currency of the price."
    return field
