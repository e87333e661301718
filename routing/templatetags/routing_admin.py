"""What the admin's templates read beside their context: the filters of a list, and the pause of all billing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.template import Library

from routing.registry.pausing import pause_in_force

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

register = Library()

register.simple_tag(pause_in_force)


@register.filter
def filter_choices(changelist: ChangeList) -> list[dict[str, Any]]:
    return [{"title": spec.title, "choices": list(spec.choices(changelist))} for spec in changelist.filter_specs]
