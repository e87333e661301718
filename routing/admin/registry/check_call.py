"""The page that explains which route a call would use. Nothing is sent to Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from routing.access.staff import domains_of
from routing.admin.shared.appearance import format_time, stripe_ids
from routing.admin.shared.base import OUTSIDE, visible
from routing.admin.shared.forms import PlainForm
from routing.errors import BillingError
from routing.identifiers import DEFAULT_REGION, BotId
from routing.registry import snapshot
from routing.registry.models import Bot, Region
from routing.registry.table import REGION, Explanation, explain

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

_MAX_SUGGESTED = 500
"""Bots that the field suggests; any other can be typed."""


class CallForm(PlainForm):
    bot = forms.CharField(
        help_text="As in the call: category:name or domain:category:name.",
        widget=UnfoldAdminTextInputWidget({"list": "bots", "autocomplete": "off"}),
    )
    region = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget, help_text="The region in the call, if it has one."
    )
    qualifiers = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget({"placeholder": "business=enterprise, tier=gold"}),
        help_text="The other qualifiers in the call, separated by commas.",
    )
    at = forms.DateTimeField(
        label="Time (UTC)",
        required=False,
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        help_text="When the call is made. Leave empty for now.",
    )

    def __init__(self, *args: Any, domains: frozenset[str] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._domains = domains
        regions = Region.objects.values_list("slug", "slug")
        self.fields["region"].choices = [("", f"Not given ({DEFAULT_REGION})"), *regions]  # type: ignore[attr-defined]  # a choice field has choices

    def clean_bot(self) -> BotId:
        try:
            bot = BotId.parse(self.cleaned_data["bot"])
        except BillingError as error:
            raise ValidationError(str(error)) from error
        if self._domains is not None and bot.domain not in self._domains:
            raise ValidationError(OUTSIDE)
        return bot

    def clean_qualifiers(self) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in self.cleaned_data["qualifiers"].split(",") if pair.strip()]
        if any(not equals for _key, equals, _value in pairs):
            raise ValidationError("Write each qualifier as name=value, such as business=enterprise.")
        return {key.strip(): value.strip() for key, _equals, value in pairs}


def check_call_page(request: HttpRequest) -> TemplateResponse:
    if not request.user.has_perm("routing.view_route") or not request.user.has_perm("routing.view_override"):
        raise PermissionDenied
    form = CallForm(request.GET if "bot" in request.GET else None, domains=domains_of(request.user))
    context = {
        **admin.site.each_context(request),
        "title": "Check a call",
        "form": form,
        "bots": [str(bot) for bot in visible(request, Bot).select_related("domain", "category")[:_MAX_SUGGESTED]],
        **(_decision(form.cleaned_data) if form.is_valid() else {}),
    }
    return TemplateResponse(request, "admin/routing/check_call.html", context)


def _decision(call: dict[str, Any]) -> dict[str, Any]:
    """Return the route, or the problem, with the rules that were considered."""
    qualifiers = call["qualifiers"] | ({REGION: call["region"]} if call["region"] else {})
    try:
        current = snapshot.current()
    except BillingError as error:
        return {"problem": str(error)}
    at = call["at"] or current.now()
    explanation = explain(current.table, call["bot"], qualifiers, at)
    return {
        "problem": str(explanation.error) if explanation.error else "",
        "steps": [(step.won, step.rule, _with_field_labels(step.reason)) for step in explanation.steps],
        "route": _route_rows(explanation, at, current.table.version),
    }


def _route_rows(explanation: Explanation, at: datetime, version: int) -> list[tuple[str, str]]:
    """Return the route as labels and values."""
    if explanation.resolution is None:
        return []
    resolution = explanation.resolution
    end = resolution.stable.end
    return [
        ("Product", stripe_ids(resolution.route.product_id)),
        ("Price", stripe_ids(resolution.route.price_id)),
        ("Customer", stripe_ids(resolution.route.customer_id)),
        ("Currency", resolution.route.currency.upper()),
        ("Region", resolution.region),
        ("Domain", resolution.domain.slug),
        ("At", format_time(at)),
        ("Next scheduled change", format_time(end) if end else "none"),
        ("Registry version", str(version)),
    ]


def _with_field_labels(reason: str) -> str:
    """Return the reason with a form's labels instead of the names of fields."""
    return reason.replace("_id", "")
