"""How a call would be decided, in words: nothing is sent to Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from routing.admin.appearance import moment, stripe_ids
from routing.errors import BillingError
from routing.identifiers import DEFAULT_REGION, BotId
from routing.registry import snapshot
from routing.registry.models import Bot, Region
from routing.registry.table import REGION, Explanation, explain

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.admin import AdminSite
    from django.http import HttpRequest

_OFFERED = 500
"""Bots that the field offers while one types; any other can be typed in full."""


class CallForm(forms.Form):
    bot = forms.CharField(
        help_text="As it calls: category:name or domain:category:name.",
        widget=UnfoldAdminTextInputWidget({"list": "bots", "autocomplete": "off"}),
    )
    region = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget, help_text="The region that the call names, if it names one."
    )
    qualifiers = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget({"placeholder": "business=enterprise, tier=gold"}),
        help_text="What else the call names, separated by commas.",
    )
    at = forms.DateTimeField(
        label="Moment (UTC)",
        required=False,
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        help_text="Empty: now.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        regions = Region.objects.values_list("slug", "slug")
        self.fields["region"].choices = [("", f"None named ({DEFAULT_REGION})"), *regions]  # type: ignore[attr-defined]  # a ChoiceField

    def clean_bot(self) -> BotId:
        try:
            return BotId.parse(self.cleaned_data["bot"])
        except BillingError as error:
            raise ValidationError(str(error)) from error

    def clean_qualifiers(self) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in self.cleaned_data["qualifiers"].split(",") if pair.strip()]
        if any(not equals for _key, equals, _value in pairs):
            raise ValidationError("Write each qualifier as name=value, such as business=enterprise.")
        return {key.strip(): value.strip() for key, _equals, value in pairs}


def decision_page(site: AdminSite, request: HttpRequest) -> TemplateResponse:
    if not request.user.has_perm("routing.view_route") or not request.user.has_perm("routing.view_override"):
        raise PermissionDenied
    form = CallForm(request.GET if "bot" in request.GET else None)
    context = {
        **site.each_context(request),
        "title": "Check a call",
        "form": form,
        "bots": [str(bot) for bot in Bot.objects.select_related("domain", "category")[:_OFFERED]],
        **(_decided(form.cleaned_data) if form.is_valid() else {}),
    }
    return TemplateResponse(request, "admin/routing/decision.html", context)


def _decided(asked: dict[str, Any]) -> dict[str, Any]:
    qualifiers = asked["qualifiers"] | ({REGION: asked["region"]} if asked["region"] else {})
    try:
        current = snapshot.current()
    except BillingError as error:
        return {"problem": str(error)}
    at = asked["at"] or current.now()
    found = explain(current.table, asked["bot"], qualifiers, at)
    return {
        "problem": str(found.error) if found.error else "",
        "steps": [(step.won, step.rule, _plain(step.reason)) for step in found.steps],
        "answer": _answer(found, at, current.table.version),
    }


def _answer(found: Explanation, at: datetime, version: int) -> list[tuple[str, str]]:
    """Return the route as labels and values."""
    if found.resolution is None:
        return []
    route, stable = found.resolution.route, found.resolution.stable
    return [
        ("Product", stripe_ids(route.product_id)),
        ("Price", stripe_ids(route.price_id)),
        ("Customer", stripe_ids(route.customer_id)),
        ("Currency", route.currency.upper()),
        ("Region", found.resolution.region),
        ("Domain", found.resolution.domain.slug),
        ("Decided for", moment(at)),
        ("Stays so until", moment(stable.end) if stable.end else "somebody changes the registry"),
        ("Registry version", str(version)),
    ]


def _plain(reason: str) -> str:
    """Return the reason with a form's words for the fields."""
    return reason.replace("_id", "")
