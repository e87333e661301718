"""The pages of the audit log: who changed what, by what road, and each field before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.db.models import CharField, Q
from django.db.models.functions import Cast
from django.http import StreamingHttpResponse
from django.utils.text import Truncator
from unfold.decorators import action

from routing.access.models import BotToken
from routing.admin.shared.appearance import EMPTY, badge, differences_table, format_time
from routing.admin.shared.base import LargeTableAdmin
from routing.admin.shared.rows import differences, kind_of
from routing.audit.export import as_csv, as_json_lines
from routing.audit.models import AuditEntry
from routing.caps.models import Cap
from routing.registry.models import Bot, Domain, Override, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model, QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

_TONES = {AuditEntry.Action.INSERT: "good", AuditEntry.Action.UPDATE: "info", AuditEntry.Action.DELETE: "bad"}

_MAX_SHOWN = 120
"""Characters of the changes in the list."""


class KindFilter(admin.SimpleListFilter):
    title = "kind of object"
    parameter_name = "table_name"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        tables = {model._meta.db_table for model in apps.get_models() if _is_audited(model)}  # noqa: SLF001 (Django's documented API)
        return sorted(((table, kind_of(table)) for table in tables), key=lambda choice: choice[1])

    def queryset(self, _request: HttpRequest, entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return entries.filter(table_name=self.value()) if self.value() else entries


@admin.register(AuditEntry)
class AuditEntryAdmin(LargeTableAdmin):
    list_display = ["time", "actor", "action_badge", "kind", "object_name", "changes", "road"]
    list_filter = ["action", KindFilter, "road"]
    date_hierarchy = "at"
    sortable_by = ()
    search_fields = ["actor", "object_name", "=request_id", "reason"]
    search_help_text = "Search by who, object, request ID or reason"
    empty_message = "Nothing was changed yet."
    actions = ["export_csv", "export_json_lines"]
    fieldsets = [
        (None, {"fields": ["time", "actor", "action_badge", "kind", "object_name", "before_and_after"]}),
        ("How", {"fields": ["road", "reason", "request_id", "database_role", "actor_id", "object_id"]}),
    ]

    def within(self, rows: QuerySet[AuditEntry], domains: frozenset[str]) -> QuerySet[AuditEntry]:
        """Return the entries of rows that are still there in these domains, and of these domains alone."""
        condition = Q(pk__in=[])
        for model in (Domain, Bot, Route, Override, Cap, BotToken):
            shown = self.admin_site.get_model_admin(model).within(model.objects.order_by(), domains)
            ids = shown.values_list(Cast("pk", CharField()), flat=True)
            condition |= Q(table_name=model._meta.db_table, object_id__in=ids)  # noqa: SLF001 (Django's documented API)
        return rows.filter(condition)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in ("table_name", "object_id") or super().lookup_allowed(lookup, value, request)

    @admin.display(description="time (UTC)", ordering="at")
    def time(self, entry: AuditEntry) -> str:
        return format_time(entry.at)

    @admin.display(description="action")
    def action_badge(self, entry: AuditEntry) -> SafeString:
        return badge(entry.get_action_display(), _TONES[AuditEntry.Action(entry.action)])

    @admin.display(description="kind")
    def kind(self, entry: AuditEntry) -> str:
        return kind_of(entry.table_name)

    @admin.display(description="changes")
    def changes(self, entry: AuditEntry) -> str:
        if entry.action != AuditEntry.Action.UPDATE:
            return EMPTY
        text = "; ".join(
            f"{name}: {before or EMPTY} → {after or EMPTY}" for name, before, after in self._differences(entry)
        )
        return Truncator(text).chars(_MAX_SHOWN)

    @admin.display(description="before and after")
    def before_and_after(self, entry: AuditEntry) -> SafeString:
        return differences_table(("Before", "After"), self._differences(entry))

    def _differences(self, entry: AuditEntry) -> Iterator[tuple[str, str, str]]:
        return differences(entry.table_name, entry.before, entry.after)

    @action(description="Export as CSV")
    def export_csv(self, _request: HttpRequest, entries: QuerySet[AuditEntry]) -> StreamingHttpResponse:
        return _download(as_csv(entries), "text/csv; charset=utf-8", "audit.csv")

    @action(description="Export as JSON lines")
    def export_json_lines(self, _request: HttpRequest, entries: QuerySet[AuditEntry]) -> StreamingHttpResponse:
        return _download(as_json_lines(entries), "application/jsonl", "audit.jsonl")


def _download(lines: Iterator[str], content_type: str, name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type=content_type, headers=headers)


def _is_audited(model: type[Model]) -> bool:
    return any(trigger.name == "audit" for trigger in getattr(model._meta, "triggers", ()))  # noqa: SLF001 (pgtrigger's documented place)
