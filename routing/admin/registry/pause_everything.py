"""Pausing and resuming all billing, and the list of past pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from routing.access.staff import domains_of
from routing.admin.shared.appearance import EMPTY, badge, format_time
from routing.admin.shared.base import ReadOnlyAdmin
from routing.admin.shared.confirmation import Confirmation, confirmation_page, is_confirmed
from routing.admin.shared.forms import ConstraintForm
from routing.admin.shared.in_flight import in_flight, what_a_pause_does_to
from routing.registry.models import Pause
from routing.registry.pausing import pause_everything, pause_in_force, resume_everything

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

_EVERY_BOT = "Every bot in every domain"

_RESUME = Confirmation(
    "Resume all billing?",
    ("Calls are accepted again at once. Bots, categories and domains that are paused individually stay paused.",),
    "Resume all billing",
    is_dangerous=False,
)


def _pause_confirmation() -> Confirmation:
    return Confirmation(
        "Pause all billing?",
        (
            "Every new call that would bill is refused at once with a clear error, and nothing is charged.",
            "Refunds, subscriptions, checkout sessions, new customers and balance requests are refused too.",
            *what_a_pause_does_to(in_flight()),
            "Existing subscriptions and open checkout sessions continue at Stripe.",
        ),
        "Pause all billing",
        is_dangerous=True,
    )


class ReasonForm(ConstraintForm):
    class Meta:
        model = Pause
        fields = ["reason"]
        widgets = {"reason": UnfoldAdminTextInputWidget}


@admin.register(Pause)
class PauseAdmin(ReadOnlyAdmin):
    actions = None
    list_display = ["paused", "paused_by", "reason_text", "resumed", "resumed_by_text"]
    list_display_links = None
    list_before_template = "admin/routing/pause_everything.html"
    empty_message = "All billing has never been paused. Every pause will be listed here, with who paused it and why."

    def get_urls(self) -> list[URLPattern]:
        return [
            path("pause/", self.admin_site.admin_view(self.pause), name="routing_pause_everything"),
            path("resume/", self.admin_site.admin_view(self.resume), name="routing_resume_everything"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        pause = pause_in_force()
        context = {"title": "All billing", "current_pause": pause, "may_pause": _may_pause(request)}
        context["in_flight"] = in_flight() if pause and context["may_pause"] else ""
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def pause(self, request: HttpRequest) -> HttpResponse:
        _require_permission(request)
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        affected = [] if pause_in_force() else [_EVERY_BOT]
        if not is_confirmed(request) or not form.is_valid():
            return confirmation_page(request, _pause_confirmation(), affected, _list_url(), form=form)
        reason = form.cleaned_data["reason"]
        if pause := pause_everything(by=request.user.get_username(), reason=reason):
            self.log_addition(request, pause, f"Paused all billing: {reason or 'no reason given'}.")
        messages.success(request, "All billing is paused.")
        return HttpResponseRedirect(_list_url())

    def resume(self, request: HttpRequest) -> HttpResponse:
        _require_permission(request)
        if not is_confirmed(request):
            affected = [_EVERY_BOT] if pause_in_force() else []
            return confirmation_page(request, _RESUME, affected, _list_url())
        if pause := resume_everything(by=request.user.get_username()):
            self.log_change(request, pause, "Resumed all billing.")
        messages.success(request, "All billing is resumed.")
        return HttpResponseRedirect(_list_url())

    @admin.display(description="paused", ordering="paused_at")
    def paused(self, pause: Pause) -> str:
        return format_time(pause.paused_at)

    @admin.display(description="reason")
    def reason_text(self, pause: Pause) -> str:
        return pause.reason or EMPTY

    @admin.display(description="resumed", ordering="resumed_at")
    def resumed(self, pause: Pause) -> str | SafeString:
        return format_time(pause.resumed_at) if pause.resumed_at else badge("paused now", "alarm")

    @admin.display(description="resumed by")
    def resumed_by_text(self, pause: Pause) -> str:
        return pause.resumed_by or EMPTY


def _list_url() -> str:
    return reverse("admin:routing_pause_changelist")


def _may_pause(request: HttpRequest) -> bool:
    return request.user.has_perm("routing.pause_everything") and domains_of(request.user) is None


def _require_permission(request: HttpRequest) -> None:
    if not _may_pause(request):
        raise PermissionDenied
