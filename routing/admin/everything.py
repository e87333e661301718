"""The one switch for all billing: whether it is on, the question before it is thrown, and who threw it when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from routing.admin.appearance import NOTHING, badge, moment
from routing.admin.confirming import Question, ask, is_confirmed
from routing.admin.desk import ReadOnlyAdmin
from routing.admin.editing import RuleForm
from routing.registry.models import Pause
from routing.registry.pausing import pause_everything, pause_in_force, resume_everything

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

EVERY_BOT = "Every bot of every domain"

_PAUSE = Question(
    "Pause all billing?",
    (
        "From this moment every new call that would bill is refused with a clear message, and nothing is charged.",
        "Refunds, subscriptions, checkout pages, new customers and the balance are refused too.",
        "Charges that were already sent to Stripe are not stopped or returned.",
        "Subscriptions and checkout pages that Stripe has already go on there.",
    ),
    "Pause all billing",
    is_dangerous=True,
)
_RESUME = Question(
    "Resume all billing?",
    ("Calls are accepted again at once. What is paused by itself (a bot, a category, a domain) stays paused.",),
    "Resume all billing",
    is_dangerous=False,
)


class ReasonForm(RuleForm):
    class Meta:
        model = Pause
        fields = ["reason"]
        widgets = {"reason": UnfoldAdminTextInputWidget}


@admin.register(Pause)
class EverythingAdmin(ReadOnlyAdmin):
    actions = None
    list_display = ["paused", "paused_by", "why", "resumed", "ended_by"]
    list_display_links = None
    list_before_template = "admin/routing/everything.html"
    when_empty = "All billing has never been paused. Each pause stays listed here, with who made it and why."

    def get_urls(self) -> list[URLPattern]:
        return [
            path("pause/", self.admin_site.admin_view(self.pause), name="routing_pause_everything"),
            path("resume/", self.admin_site.admin_view(self.resume), name="routing_resume_everything"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {
            "title": "All billing",
            "in_force": pause_in_force(),
            "may_throw": _may_throw(request),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def pause(self, request: HttpRequest) -> HttpResponse:
        _require(request)
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        changing = [] if pause_in_force() else [EVERY_BOT]
        if not is_confirmed(request) or not form.is_valid():
            return ask(self.admin_site, request, _PAUSE, changing, _page(), form=form)
        reason = form.cleaned_data["reason"]
        if pause := pause_everything(by=request.user.get_username(), reason=reason):
            self.log_addition(request, pause, f"Paused all billing: {reason or 'no reason was given'}.")
        messages.success(request, "All billing is paused.")
        return HttpResponseRedirect(_page())

    def resume(self, request: HttpRequest) -> HttpResponse:
        _require(request)
        if not is_confirmed(request):
            changing = [EVERY_BOT] if pause_in_force() else []
            return ask(self.admin_site, request, _RESUME, changing, _page())
        if pause := resume_everything(by=request.user.get_username()):
            self.log_change(request, pause, "Resumed all billing.")
        messages.success(request, "All billing is on again.")
        return HttpResponseRedirect(_page())

    @admin.display(description="paused", ordering="paused_at")
    def paused(self, pause: Pause) -> str:
        return moment(pause.paused_at)

    @admin.display(description="why")
    def why(self, pause: Pause) -> str:
        return pause.reason or NOTHING

    @admin.display(description="resumed", ordering="resumed_at")
    def resumed(self, pause: Pause) -> str | SafeString:
        return moment(pause.resumed_at) if pause.resumed_at else badge("paused now", "alarm")

    @admin.display(description="resumed by")
    def ended_by(self, pause: Pause) -> str:
        return pause.resumed_by or NOTHING


def _page() -> str:
    return reverse("admin:routing_pause_changelist")


def _may_throw(request: HttpRequest) -> bool:
    return request.user.has_perm("routing.pause_everything")


def _require(request: HttpRequest) -> None:
    if not _may_throw(request):
        raise PermissionDenied
