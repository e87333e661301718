"""The pages of webhook events: what Stripe sent, and whether it has been applied to the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.text import Truncator, capfirst

from routing.admin.shared.base import LargeTableAdmin
from routing.payments.webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

_MAX_ERROR = 200
"""Characters of an error in the list."""


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("applied", "Applied"), ("pending", "Pending"), ("failing", "Failing")]

    def queryset(self, _request: HttpRequest, events: QuerySet[WebhookEvent]) -> QuerySet[WebhookEvent]:
        match self.value():
            case "applied":
                return events.filter(applied_at__isnull=False)
            case "pending":
                return events.filter(applied_at=None)
            case "failing":
                return events.filter(applied_at=None).exclude(last_error="")
            case _:
                return events


@admin.register(WebhookEvent)
class WebhookEventAdmin(LargeTableAdmin):
    domain_lookup = "domain"
    actions = None
    list_display = ["received_at", "domain", "type", "object_id", "result"]
    list_filter = [StatusFilter, "source", "domain"]
    search_fields = ["=event_id", "=object_id"]
    search_help_text = "Search by event ID or object ID"
    empty_message = "No webhook event has been received yet. Stripe sends one for each change to a payment."
    fieldsets = [
        ("Event", {"fields": ["domain", "type", "object_type", "object_id", "event_id", "created"]}),
        ("Delivery", {"fields": ["source", "received_at", "result", "applied_at"]}),
        ("For engineers", {"classes": ["collapse"], "fields": ["attempts", "next_attempt_at", "last_error"]}),
    ]

    @admin.display(description="result")
    def result(self, event: WebhookEvent) -> str:
        if event.applied_at:
            return capfirst(event.finding)
        if event.last_error:
            attempts = "once" if event.attempts == 1 else f"{event.attempts} times"
            return f"Failed {attempts}, will be retried: {Truncator(event.last_error).chars(_MAX_ERROR)}"
        return "Not applied yet"
