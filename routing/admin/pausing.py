"""Stopping and restarting the billing of bots and of whole domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from routing.admin.appearance import badge
from routing.admin.confirming import Question, ask, is_confirmed
from routing.admin.desk import DeskAdmin
from routing.registry.models import Pause

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString


class PausingAdmin(DeskAdmin):
    """For a model that has ``is_paused``. ``stops`` says in words what a pause stops."""

    stops = ""
    actions = ["pause_selected", "resume_selected"]
    actions_detail = ["pause", "resume"]

    @action(description="Pause billing", permissions=["change"])
    def pause_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._set(request, rows.filter(is_paused=False), paused=True)

    @action(description="Resume billing", permissions=["change"])
    def resume_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._set(request, rows.filter(is_paused=True), paused=False)

    @action(description="Pause billing", permissions=["change"], icon="pause_circle", variant=ActionVariant.DANGER)
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set_one(request, object_id, paused=True)

    @action(description="Resume billing", permissions=["change"], icon="play_circle", variant=ActionVariant.PRIMARY)
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set_one(request, object_id, paused=False)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Leave out the one of the two that would change nothing."""
        row = self.get_object(request, object_id)
        idle = "_pause" if row and row.is_paused else "_resume"
        return [a for a in super().get_actions_detail(request, object_id) if not a.action_name.endswith(idle)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        everything = Exists(Pause.objects.filter(resumed_at=None))
        rows: QuerySet[Any] = super().get_queryset(request).annotate(everything_is_paused=everything)
        return rows

    @admin.display(description="billing", ordering="is_paused")
    def billing(self, row: Any) -> SafeString:
        if row.is_paused:
            return badge("paused", "bad")
        return badge("paused with everything", "bad") if row.everything_is_paused else badge("active", "good")

    def _set_one(self, request: HttpRequest, object_id: str, *, paused: bool) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        rows = self.get_queryset(request).filter(pk=row.pk)
        back = reverse(f"admin:routing_{self.opts.model_name}_change", args=[row.pk])
        return self._set(request, rows, paused=paused, back=back) or HttpResponseRedirect(back)

    def _set(self, request: HttpRequest, rows: QuerySet[Any], *, paused: bool, back: str = "") -> HttpResponse | None:
        if not self.has_change_permission(request):
            raise PermissionDenied
        changing = list(rows)
        if not is_confirmed(request):
            return ask(
                self.admin_site, request, self._question(len(changing), paused=paused), changing, back or request.path
            )
        self.model.objects.filter(pk__in=[row.pk for row in changing]).update(is_paused=paused)
        word = "Paused" if paused else "Resumed"
        for row in changing:
            self.log_change(request, row, f"{word} billing.")
        messages.success(request, f"{word} billing: {', '.join(map(str, changing[:5])) or 'nothing to change'}.")
        return None

    def _question(self, count: int, *, paused: bool) -> Question:
        what = self.opts.verbose_name if count == 1 else f"{count} {self.opts.verbose_name_plural}"
        if not paused:
            return Question(
                f"Resume billing for {'this ' if count == 1 else ''}{what}?",
                ("Calls are accepted again at once.",),
                "Resume billing",
                is_dangerous=False,
            )
        return Question(
            f"Pause billing for {'this ' if count == 1 else ''}{what}?",
            (
                self.stops,
                "From this moment every new call is refused with a clear message, and nothing is charged.",
                "Charges that were already sent to Stripe are not stopped or returned.",
            ),
            "Pause billing",
            is_dangerous=True,
        )
