"""The pages of discrepancies between the ledger and Stripe: what to do about each, and clearing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextareaWidget

from routing.admin.shared.appearance import EMPTY, badge, differences_table, format_time
from routing.admin.shared.base import BaseAdmin
from routing.admin.shared.filters import TimeStatusFilter
from routing.admin.shared.forms import RefusesKeys
from routing.payments.settlement import discrepancies
from routing.payments.settlement.models import Discrepancy

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString


class ClearingForm(RefusesKeys, forms.ModelForm):  # type: ignore[type-arg]  # Django makes it generic for type checkers alone
    remark = forms.CharField(
        label="Resolution",
        widget=UnfoldAdminTextareaWidget,
        help_text="What you found, and what you did. It is saved with your name and cannot be changed later.",
    )

    class Meta:
        model = Discrepancy
        fields = ["remark"]


class StatusFilter(TimeStatusFilter):
    labels = ("Open", "Cleared")


@admin.register(Discrepancy)
class DiscrepancyAdmin(BaseAdmin):
    domain_lookup = "domain"
    form = ClearingForm
    actions = None
    list_display = ["summary", "kind_label", "domain", "found", "status"]
    list_filter = [("cleared_at", StatusFilter), "kind", "domain"]
    list_select_related = ["payment"]
    ordering = [F("cleared_at").desc(nulls_first=True), "-found_at"]
    search_fields = ["stripe_id", "payment__id", "remark"]
    search_help_text = "Search by Stripe ID, payment ID or words of the resolution"
    empty_message = "The ledger and Stripe agree. Every difference will be listed here."
    facts = ("summary", "advice", "both_sides", "payment_link", "stripe_id", "domain", "found")
    resolution = ("cleared", "cleared_by_text", "remark")

    def get_fieldsets(self, _request: HttpRequest, obj: Discrepancy | None = None) -> Any:
        is_cleared = obj is not None and obj.cleared_at is not None
        clearing = (
            ("Resolution", {"fields": self.resolution})
            if is_cleared
            else ("Clear", {"fields": ["remark"], "description": "Saving a resolution clears the discrepancy."})
        )
        facts = [name for name in self.facts if name != "both_sides" or obj is None or discrepancies.differences(obj)]
        return [("Discrepancy", {"fields": facts}), clearing]

    def get_readonly_fields(self, _request: HttpRequest, _obj: Discrepancy | None = None) -> Any:
        return [*self.facts, *self.resolution[:-1]]

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
        """Offer one button: saving clears the discrepancy."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        kwargs["extra_context"] = {**(kwargs.get("extra_context") or {}), **buttons}
        return super().change_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Discrepancy, form: ClearingForm, change: bool) -> None:  # noqa: ARG002, FBT001 (Django's signature)
        """Write the resolution alone; if somebody else cleared it first, theirs is kept."""
        if not discrepancies.clear(obj, by=request.user.get_username(), remark=form.cleaned_data["remark"]):
            messages.warning(request, "Somebody else has just cleared it. Their resolution was kept, yours was not.")

    def log_change(self, request: HttpRequest, obj: Any, _message: Any) -> Any:
        return super().log_change(request, obj, "Cleared.")

    @admin.display(description="what happened")
    def summary(self, discrepancy: Discrepancy) -> str:
        return discrepancies.what_happened(discrepancy)

    @admin.display(description="what to do")
    def advice(self, discrepancy: Discrepancy) -> str:
        return discrepancies.what_to_do(discrepancy) if discrepancy.cleared_at is None else "Nothing: it is cleared."

    @admin.display(description="type", ordering="kind")
    def kind_label(self, discrepancy: Discrepancy) -> str:
        return discrepancy.get_kind_display()

    @admin.display(description="status", ordering="cleared_at")
    def status(self, discrepancy: Discrepancy) -> SafeString:
        return badge("cleared", "quiet") if discrepancy.cleared_at else badge("open", "alarm")

    @admin.display(description="ledger and Stripe")
    def both_sides(self, discrepancy: Discrepancy) -> str:
        return differences_table(("Ledger", "Stripe"), discrepancies.differences(discrepancy))

    @admin.display(description="payment")
    def payment_link(self, discrepancy: Discrepancy) -> SafeString | str:
        if discrepancy.payment_id is None:
            return "none in the ledger"
        url = reverse("admin:routing_payment_change", args=[discrepancy.payment_id])
        return format_html('<a class="text-link" href="{}">{}</a>', url, discrepancy.payment_id)

    @admin.display(description="found", ordering="found_at")
    def found(self, discrepancy: Discrepancy) -> str:
        return format_time(discrepancy.found_at)

    @admin.display(description="cleared")
    def cleared(self, discrepancy: Discrepancy) -> str:
        return format_time(discrepancy.cleared_at)

    @admin.display(description="cleared by")
    def cleared_by_text(self, discrepancy: Discrepancy) -> str:
        return (discrepancy.cleared_by or "the router") if discrepancy.cleared_at else EMPTY
