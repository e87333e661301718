"""The pages of changes: what was proposed, row by row, and the approval of another person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from routing.admin.shared.appearance import EMPTY, badge, differences_table, format_time
from routing.admin.shared.base import LargeTableAdmin
from routing.admin.shared.confirmation import Confirmation, confirmation_page, is_confirmed
from routing.admin.shared.forms import PlainForm
from routing.admin.shared.people import PasswordForm, person_of
from routing.admin.shared.rows import differences, kind_of
from routing.approval import decisions
from routing.approval.models import ChangeItem, ChangeRequest
from routing.errors import BillingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

Status = ChangeRequest.Status

_TONES = {
    Status.OPEN: "warning",
    Status.APPLIED: "good",
    Status.REJECTED: "bad",
    Status.WITHDRAWN: "quiet",
    Status.STALE: "bad",
}

_MAX_ROWS = 100
"""Rows of one change that its page shows in full."""

_APPROVE = Confirmation(
    "Approve this change?",
    ("It takes effect at once, all of it or nothing. You answer for it together with the person who proposed it.",),
    "Approve and apply",
    is_dangerous=False,
)
_REJECT = Confirmation(
    "Reject this change?", ("It takes no effect. The reason is kept with it.",), "Reject", is_dangerous=True
)
_WITHDRAW = Confirmation("Withdraw this change?", ("It takes no effect.",), "Withdraw", is_dangerous=True)


class ReasonForm(PlainForm):
    reason = forms.CharField(widget=UnfoldAdminTextareaWidget, help_text="What would have to be different.")


@admin.register(ChangeRequest)
class ChangeRequestAdmin(LargeTableAdmin):
    list_display = ["number", "status_badge", "summary", "proposed_by", "proposed", "decided_by_text", "decided"]
    list_filter = ["status", "road"]
    search_fields = ["=id", "proposed_by", "reason", "items__object_name"]
    search_help_text = "Search by number, person, reason or object"
    sortable_by = ()
    actions = None
    empty_message = (
        "Nothing was proposed yet. A domain whose changes need approval sends every change of its money here first: "
        "switch that on on the domain's page."
    )
    fieldsets = [
        (None, {"fields": ["status_badge", "outdated", "reason_text", "rows"]}),
        ("Who", {"fields": ["proposed_by", "proposed", "road", "decided_by_text", "decided", "decision_reason"]}),
    ]
    actions_detail = ["approve", "reject", "withdraw"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.leave_out)
        return [path("<int:change>/leave-out/<int:item>/", view, name="routing_leave_out"), *super().get_urls()]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        change = self.get_object(request, object_id)
        if change is None or change.status != Status.OPEN:
            return []
        unsuitable = ("approve", "reject") if _is_own(request, change) else ("withdraw",)
        return [each for each in super().get_actions_detail(request, object_id) if not each.path.endswith(unsuitable)]

    def has_decide_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return request.user.has_perm("routing.approve_change")

    @action(description="Approve", permissions=["decide"], icon="check", variant=ActionVariant.PRIMARY)
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        form = PasswordForm(request)
        return self._decide(
            request, object_id, _APPROVE, form, lambda change: decisions.approve(change.pk, person_of(request))
        )

    @action(description="Reject", permissions=["decide"], icon="close", variant=ActionVariant.DANGER)
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        form = ReasonForm(request.POST if is_confirmed(request) else None)

        def decide(change: ChangeRequest) -> ChangeRequest:
            return decisions.reject(change.pk, person_of(request), form.cleaned_data["reason"])

        return self._decide(request, object_id, _REJECT, form, decide)

    @action(description="Withdraw", icon="undo", variant=ActionVariant.DANGER)
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request, object_id, _WITHDRAW, None, lambda change: decisions.withdraw(change.pk, person_of(request))
        )

    def leave_out(self, request: HttpRequest, change: int, item: int) -> HttpResponse:
        """Take one row out of one's own change."""
        if request.method == "POST":
            try:
                decisions.leave_out(change, item, person_of(request))
                messages.success(request, "Left out. The change can be approved as it is now.")
            except BillingError as error:
                messages.error(request, str(error))
        return HttpResponseRedirect(_url(change))

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        confirmation: Confirmation,
        form: forms.Form | None,
        decide: Callable[[ChangeRequest], ChangeRequest],
    ) -> HttpResponse:
        change = self.get_object(request, object_id)
        if change is None:
            raise Http404
        if not self.has_view_permission(request, change):
            raise PermissionDenied
        if not is_confirmed(request) or (form is not None and not form.is_valid()):
            affected = map(_what, change.items.all())
            return confirmation_page(request, confirmation, affected, _url(change.pk), form=form)
        try:
            decided = decide(change)
        except BillingError as error:
            messages.error(request, str(error))
        else:
            show = messages.error if decided.status == Status.STALE else messages.success
            show(request, f"Change {change.pk} is {decided.get_status_display()}. {decided.decision_reason}".strip())
        return HttpResponseRedirect(_url(change.pk))

    def within(self, rows: QuerySet[ChangeRequest], domains: frozenset[str]) -> QuerySet[ChangeRequest]:
        return rows.filter(domains__contained_by=list(domains))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChangeRequest]:
        return super().get_queryset(request).prefetch_related("items")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ChangeRequest | None:
        """Return the change, with ``may_edit``: whether the person can leave out some of its rows."""
        change: ChangeRequest | None = super().get_object(request, object_id, from_field)
        if change is not None:
            change.may_edit = (  # type: ignore[attr-defined]  # for this page alone
                change.status == Status.OPEN and _is_own(request, change) and len(change.items.all()) > 1
            )
        return change

    @admin.display(description="change", ordering="id")
    def number(self, change: ChangeRequest) -> str:
        return f"Change {change.pk}"

    @admin.display(description="status")
    def status_badge(self, change: ChangeRequest) -> SafeString:
        return badge(change.get_status_display(), _TONES[Status(change.status)])

    @admin.display(description="what")
    def summary(self, change: ChangeRequest) -> str:
        return _summary(change)

    @admin.display(description="reason")
    def reason_text(self, change: ChangeRequest) -> str:
        return change.reason or EMPTY

    @admin.display(description="can take effect")
    def outdated(self, change: ChangeRequest) -> str:
        if change.status != Status.OPEN:
            return EMPTY
        problems = decisions.outdated_items(change)
        return f"No. {' '.join(problems)}" if problems else "Yes, once another person has approved it."

    @admin.display(description="changes")
    def rows(self, change: ChangeRequest) -> SafeString:
        items = list(change.items.all())
        may_edit = getattr(change, "may_edit", False)
        parts = ((_heading(item), _table(item), _leave_out(item) if may_edit else "") for item in items[:_MAX_ROWS])
        shown = format_html_join("", "<section>{}{}{}</section>", parts)
        more = len(items) - _MAX_ROWS
        return shown if more <= 0 else format_html("{}<p>and {} more rows</p>", shown, f"{more:,}")

    @admin.display(description="proposed")
    def proposed(self, change: ChangeRequest) -> str:
        return format_time(change.proposed_at)

    @admin.display(description="decided by")
    def decided_by_text(self, change: ChangeRequest) -> str:
        return change.decided_by or EMPTY

    @admin.display(description="decided")
    def decided(self, change: ChangeRequest) -> str:
        return format_time(change.decided_at)


def _is_own(request: HttpRequest, change: ChangeRequest) -> bool:
    return decisions.is_own(change, person_of(request))


def _url(change: int) -> str:
    return reverse("admin:routing_changerequest_change", args=[change])


def _verb(item: ChangeItem) -> str:
    return "Add" if item.before is None else "Delete" if item.after is None else "Change"


def _what(item: ChangeItem) -> str:
    return f"{_verb(item)} {kind_of(item.table_name).lower()}: {item.object_name}"


def _heading(item: ChangeItem) -> SafeString:
    return format_html('<h3 class="change-item">{}</h3>', _what(item))


def _table(item: ChangeItem) -> SafeString:
    return differences_table(("Before", "After"), differences(item.table_name, item.before, item.after))


def _leave_out(item: ChangeItem) -> SafeString:
    url = reverse("admin:routing_leave_out", args=[item.request_id, item.pk])
    return format_html('<button class="text-link" formmethod="post" formaction="{}">Leave out</button>', url)


def _summary(change: ChangeRequest) -> str:
    first, *others = change.items.all()
    return f"{_what(first)}, and {len(others):,} more" if others else _what(first)
