"""The choices of a list's filters, for the row above the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.template import Library

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

register = Library()


@register.filter
def filter_choices(changelist: ChangeList) -> list[dict[str, Any]]:
    return [{"title": spec.title, "choices": list(spec.choices(changelist))} for spec in changelist.filter_specs]
