"""The base classes of the admin's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest, HttpResponse


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

    def history_view(self, request: HttpRequest, object_id: str, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Show the object's audit entries, which tell also of changes that were not made in the admin."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = urlencode({"table_name": self.opts.db_table, "object_id": object_id})
        return HttpResponseRedirect(f"{reverse('admin:routing_auditentry_changelist')}?{query}")


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
