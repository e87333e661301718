"""Pausing and resuming the billing of bots, business categories and domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from routing.admin.shared.appearance import badge
from routing.admin.shared.base import BaseAdmin
from routing.admin.shared.confirmation import Confirmation, confirmation_page, is_confirmed
from routing.admin.shared.in_flight import in_flight, what_a_pause_does_to
from routing.errors import RegistryBusy
from routing.registry.models import Pause
from routing.registry.pausing import set_paused

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import Form
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

_MAX_NAMED = 5
"""Objects that the message after a change names."""


class PausingAdmin(BaseAdmin):
    """For a model that has ``is_paused``. ``pause_effect`` says what a pause of it stops.

    ``ledger_column`` is the payments' column that names it.
    """

    pause_effect = ""
    ledger_column: ClassVar[str]
    actions = ["pause_selected", "resume_selected"]
    actions_detail = ["pause", "resume"]

    @action(description="Pause billing", permissions=["change"])
    def pause_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._set_paused(request, rows.filter(is_paused=False), paused=True)

    @action(description="Resume billing", permissions=["change"])
    def resume_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._set_paused(request, rows.filter(is_paused=True), paused=False)

    @action(description="Pause billing", permissions=["change"], icon="pause_circle", variant=ActionVariant.DANGER)
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set_one_paused(request, object_id, paused=True)

    @action(description="Resume billing", permissions=["change"], icon="play_circle", variant=ActionVariant.PRIMARY)
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set_one_paused(request, object_id, paused=False)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Leave out the one of the two actions that would change nothing."""
        row = self.get_object(request, object_id)
        unavailable = "_pause" if row and row.is_paused else "_resume"
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if not action.action_name.endswith(unavailable)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        pause_of_all = Exists(Pause.objects.filter(resumed_at=None))
        rows: QuerySet[Any] = super().get_queryset(request).annotate(is_all_paused=pause_of_all)
        return rows

    @admin.display(description="billing", ordering="is_paused")
    def billing(self, row: Any) -> SafeString:
        if row.is_paused:
            return badge("paused", "bad")
        return badge("all billing paused", "bad") if row.is_all_paused else badge("active", "good")

    def _set_one_paused(self, request: HttpRequest, object_id: str, *, paused: bool) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        rows = self.get_queryset(request).filter(pk=row.pk)
        back_url = reverse(f"admin:routing_{self.opts.model_name}_change", args=[row.pk])
        return self._set_paused(request, rows, paused=paused, back_url=back_url) or HttpResponseRedirect(back_url)

    def _set_paused(
        self, request: HttpRequest, rows: QuerySet[Any], *, paused: bool, back_url: str = ""
    ) -> HttpResponse | None:
        if not self.has_change_permission(request):
            raise PermissionDenied
        changed = list(rows)
        form = self.pause_form(request, changed) if paused else None
        if not is_confirmed(request) or (form is not None and not form.is_valid()):
            confirmation = self._confirmation(changed, paused=paused)
            return confirmation_page(request, confirmation, changed, back_url or request.path, form=form)
        try:
            set_paused(
                self.model.objects.filter(pk__in=[row.pk for row in changed]),
                paused=paused,
                by=request.user.get_username(),
            )
        except RegistryBusy as error:
            messages.error(request, str(error))
            return None
        if form is not None:
            self.after_pause(changed, form)
        verb = "Paused" if paused else "Resumed"
        for row in changed:
            self.log_change(request, row, f"{verb} billing.")
        messages.success(request, f"{verb} billing: {', '.join(map(str, changed[:_MAX_NAMED])) or 'nothing changed'}.")
        return None

    def pause_form(self, _request: HttpRequest, _rows: list[Any]) -> Form | None:
        """Return what else is asked before a pause; None where nothing is."""
        return None

    def after_pause(self, rows: list[Any], form: Form) -> None:
        """Do what was chosen in the form."""

    @admin.display(description="in flight")
    def in_flight(self, row: Any) -> str:
        return in_flight(**{self.ledger_column: [str(row)]})

    def _confirmation(self, rows: list[Any], *, paused: bool) -> Confirmation:
        count = len(rows)
        subject = f"this {self.opts.verbose_name}" if count == 1 else f"{count} {self.opts.verbose_name_plural}"
        if not paused:
            return Confirmation(
                f"Resume billing for {subject}?",
                ("Calls are accepted again at once.",),
                "Resume billing",
                is_dangerous=False,
            )
        return Confirmation(
            f"Pause billing for {subject}?",
            (
                self.pause_effect,
                "Every new call is refused at once with a clear error, and nothing is charged.",
                *what_a_pause_does_to(in_flight(**{self.ledger_column: [str(row) for row in rows]})),
            ),
            "Pause billing",
            is_dangerous=True,
        )
