"""What Stripe has told, to be read: when, of what, and whether the ledger has taken it in or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.text import Truncator

from routing.admin.desk import ReadOnlyAdmin
from routing.payments.webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class Applied(admin.SimpleListFilter):
    title = "applied"
    parameter_name = "applied"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        return [("yes", "applied"), ("waiting", "waiting"), ("failing", "failing")]

    def queryset(self, _request: HttpRequest, events: QuerySet[WebhookEvent]) -> QuerySet[WebhookEvent]:
        match self.value():
            case "yes":
                return events.filter(applied_at__isnull=False)
            case "waiting":
                return events.filter(applied_at=None)
            case "failing":
                return events.filter(applied_at=None).exclude(last_error="")
            case _:
                return events


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    actions = None
    show_full_result_count = False
    list_display = ["received_at", "domain", "type", "object_id", "outcome"]
    list_filter = [Applied, "source", "domain"]
    search_fields = ["=event_id", "=object_id"]
    search_help_text = "The event's id, or that of the object it is about"
    fieldsets = [
        ("What Stripe said", {"fields": ["domain", "type", "object_type", "object_id", "event_id", "created"]}),
        ("What came of it", {"fields": ["source", "received_at", "outcome", "applied_at"]}),
        ("For engineers", {"classes": ["collapse"], "fields": ["attempts", "next_attempt_at", "last_error"]}),
    ]

    @admin.display(description="what came of it")
    def outcome(self, event: WebhookEvent) -> str:
        if event.applied_at:
            return event.finding.capitalize()
        if event.last_error:
            return f"Tried {event.attempts} times and will be again: {Truncator(event.last_error).chars(200)}"
        return "Waits to be applied"
