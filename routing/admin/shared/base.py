"""The base classes of the admin's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from routing.access.staff import domains_of

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest, HttpResponse


OUTSIDE = "You work in some domains alone, and this is of another one, or of every domain. Ask somebody who may."


class BaseAdmin(ModelAdmin):
    """A model's pages. ``empty_message`` says what to do while its list is empty.

    Whoever works in some domains alone sees and changes only their rows: ``domain_lookup`` leads from a row to its
    domain's name. Where it is empty, rows are of every domain, and only those who work in every one change them.
    """

    domain_lookup = ""
    empty_message = "Nothing here yet."
    list_per_page = 50
    warn_unsaved_form = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of the domains in which the user works."""
        rows: QuerySet[Any] = super().get_queryset(request)
        domains = domains_of(request.user)
        return rows if domains is None else self.within(rows, domains)

    def within(self, rows: QuerySet[Any], domains: frozenset[str]) -> QuerySet[Any]:
        return rows.filter(**{f"{self.domain_lookup}__in": domains}) if self.domain_lookup else rows

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> QuerySet[Any] | None:
        """Offer, and accept, rows of the domains in which the user works."""
        remote = self.admin_site._registry.get(db_field.remote_field.model)  # noqa: SLF001 (get_model_admin raises where there is none)
        if isinstance(remote, BaseAdmin) and domains_of(request.user) is not None:
            return remote.get_queryset(request)
        return super().get_field_queryset(db, db_field, request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_write(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_write(request)

    def _may_write(self, request: HttpRequest) -> bool:
        return bool(self.domain_lookup) or domains_of(request.user) is None

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001 (Django's signature)
        """Refuse what was saved if its page would not be shown to the user afterwards."""
        super().save_related(request, form, formsets, change)
        if not self.get_queryset(request).filter(pk=form.instance.pk).exists():
            raise PermissionDenied(OUTSIDE)

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


def visible(request: HttpRequest, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of the model that the admin shows to the user, because they are of his domains."""
    rows, domains = model._default_manager.all(), domains_of(request.user)  # noqa: SLF001 (Django's documented API)
    pages = cast("BaseAdmin", admin.site.get_model_admin(model))
    return rows if domains is None else pages.within(rows, domains)


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
