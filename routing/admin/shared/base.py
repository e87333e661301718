"""The base classes of the admin's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unfold.admin import ModelAdmin
from unfold.views import ChangeList

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest


class BaseAdmin(ModelAdmin):
    """A model's pages. ``empty_message`` says what to do while its list is empty."""

    empty_message = "Nothing here yet."
    list_per_page = 50
    warn_unsaved_form = True

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave deleting to each object's own page, which says what is deleted with it."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


class ReadOnlyAdmin(BaseAdmin):
    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


class LargeTableList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count  # else the heading offers to show all


class LargeTableAdmin(ReadOnlyAdmin):
    """For a table that is too large to count all its rows beside those that match the filters."""

    show_full_result_count = False

    def get_changelist(self, _request: HttpRequest, **_kwargs: Any) -> type[LargeTableList]:
        return LargeTableList
