"""Where the ledger and Stripe do not agree: what is open, what to do about it, and how it was cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextareaWidget

from routing.admin.appearance import NOTHING, badge, moment
from routing.admin.desk import DeskAdmin
from routing.payments import discrepancies
from routing.payments.models import Discrepancy

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString


class ClearingForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers alone
    remark = forms.CharField(
        label="How it was cleared up",
        widget=UnfoldAdminTextareaWidget,
        help_text="What you found and what you did. It stays on record under your name, and cannot be changed later.",
    )

    class Meta:
        model = Discrepancy
        fields = ["remark"]


class StateFilter(EmptyFieldListFilter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "state"

    def choices(self, changelist: Any) -> Any:
        for choice, words in zip(super().choices(changelist), ("All", "Open", "Cleared"), strict=True):
            yield {**choice, "display": words}


@admin.register(Discrepancy)
class DiscrepancyAdmin(DeskAdmin):
    form = ClearingForm
    actions = None
    list_display = ["happened", "kind_in_words", "domain", "found", "state"]
    list_filter = [("cleared_at", StateFilter), "kind", "domain"]
    list_select_related = ["payment"]
    ordering = [F("cleared_at").desc(nulls_first=True), "-found_at"]
    search_fields = ["stripe_id", "payment__id", "remark"]
    search_help_text = "Stripe's id, payment id, or words of a remark"
    when_empty = "The ledger and Stripe agree. What does not will be listed here."
    what = ("happened", "to_do", "both_sides", "payment_page", "stripe_id", "domain", "found")
    cleared = ("cleared_at_moment", "cleared_by_whom", "remark")

    def get_fieldsets(self, _request: HttpRequest, obj: Discrepancy | None = None) -> Any:
        is_cleared = obj is not None and obj.cleared_at is not None
        clearing = (
            ("How it was cleared", {"fields": self.cleared}) if is_cleared else ("Clear it", {"fields": ["remark"]})
        )
        return [("What does not agree", {"fields": self.what}), clearing]

    def get_readonly_fields(self, _request: HttpRequest, _obj: Discrepancy | None = None) -> Any:
        return [*self.what, *self.cleared[:-1]]

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Discrepancy | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Discrepancy | None = None) -> bool:
        is_cleared = obj is not None and obj.cleared_at is not None
        return not is_cleared and super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discrepancy]:
        return super().get_queryset(request).select_related("payment")

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Offer one button: to save is to clear."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        kwargs["extra_context"] = {**(kwargs.get("extra_context") or {}), **buttons}
        return super().change_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Discrepancy, form: ClearingForm, change: bool) -> None:  # noqa: ARG002, FBT001 (Django's signature)
        """Write the clearing alone; if somebody was quicker, theirs stands."""
        if not discrepancies.clear(obj, by=request.user.get_username(), remark=form.cleaned_data["remark"]):
            messages.warning(request, "Somebody else cleared it meanwhile. Theirs stands.")

    def log_change(self, request: HttpRequest, obj: Any, _message: Any) -> Any:
        return super().log_change(request, obj, "Cleared.")

    @admin.display(description="what happened")
    def happened(self, row: Discrepancy) -> str:
        return discrepancies.what_happened(row)

    @admin.display(description="what to do")
    def to_do(self, row: Discrepancy) -> str:
        return discrepancies.what_to_do(row) if row.cleared_at is None else "Nothing: it is cleared."

    @admin.display(description="kind", ordering="kind")
    def kind_in_words(self, row: Discrepancy) -> str:
        return row.kind.capitalize()

    @admin.display(description="state", ordering="cleared_at")
    def state(self, row: Discrepancy) -> SafeString:
        return badge("cleared", "quiet") if row.cleared_at else badge("open", "alarm")

    @admin.display(description="side by side")
    def both_sides(self, row: Discrepancy) -> str:
        return render_to_string("admin/routing/sides.html", {"sayings": discrepancies.sides(row)})

    @admin.display(description="payment")
    def payment_page(self, row: Discrepancy) -> SafeString | str:
        if row.payment_id is None:
            return "none in the ledger"
        page = reverse("admin:routing_payment_change", args=[row.payment_id])
        return format_html('<a class="text-link" href="{}">{}</a>', page, row.payment_id)

    @admin.display(description="found", ordering="found_at")
    def found(self, row: Discrepancy) -> str:
        return moment(row.found_at)

    @admin.display(description="cleared")
    def cleared_at_moment(self, row: Discrepancy) -> str:
        return moment(row.cleared_at)

    @admin.display(description="by")
    def cleared_by_whom(self, row: Discrepancy) -> str:
        return (row.cleared_by or "the router itself") if row.cleared_at else NOTHING
