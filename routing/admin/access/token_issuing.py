"""Issuing and rotating bot tokens: the form, and the page that shows a new token once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from routing.access import tokens
from routing.access.models import Scope
from routing.access.staff import domains_of
from routing.admin.shared.base import OUTSIDE, ReadOnlyAdmin
from routing.admin.shared.confirmation import Confirmation, confirmation_page, is_confirmed
from routing.admin.shared.forms import PlainForm
from routing.approval.proposals import PAGE_IF_PROPOSED
from routing.errors import BillingError
from routing.registry.registered_bots import registered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest, HttpResponse

    from routing.approval.models import ChangeRequest

_MAX_DAYS = 3650

_ROTATE = Confirmation(
    "Rotate this token?",
    (
        "A new token is issued, which may do the same and is valid for 90 days. It is shown once, on the next page.",
        f"The present one stays valid for {tokens.OVERLAP.days} days, so that the bot can change over.",
    ),
    "Rotate",
    is_dangerous=False,
)


_NEEDED = {
    Scope.ROUTES_WRITE: ("routing.change_route", "routing.change_override"),
    Scope.REFUND: ("routing.refund_payment",),
}
"""By scope: what whoever gives it to a token must be allowed to do himself in the admin, where that is anything."""


def lacking_scopes(user: Any, scopes: Iterable[str]) -> list[Scope]:
    """Return those of the scopes that the user cannot give, since he may not do the same."""
    return [Scope(scope) for scope in scopes if not user.has_perms(_NEEDED.get(Scope(scope), ()))]


class TokenForm(PlainForm):
    name = forms.CharField(max_length=255, widget=UnfoldAdminTextInputWidget, help_text="What the token is for.")
    bots = forms.CharField(
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text="One on each line, such as stripe:finance:invoicer; stripe:finance:* for a whole business category, "
        "stripe:*:* for a whole domain, * for every bot.",
    )
    scopes = forms.MultipleChoiceField(
        label="May",
        choices=Scope,
        initial=[Scope.CHARGE, Scope.READ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    qualifiers = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="The qualifiers that its calls may name, one on each line, such as business=enterprise: each can "
        "choose another price or customer. * for every one; leave it empty for none.",
    )
    days = forms.IntegerField(
        label="Valid for (days)",
        min_value=1,
        max_value=_MAX_DAYS,
        initial=tokens.LIFETIME.days,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Rotate it before it expires.",
    )
    networks = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="From where it may be used, one on each line, such as 10.0.0.0/24. Leave it empty for anywhere.",
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user, self._domains = user, domains_of(user)

    def clean_bots(self) -> list[str]:
        try:
            bots = [registered(line) for line in self.cleaned_data["bots"].split()]
        except BillingError as error:
            raise ValidationError(str(error)) from error
        if self._domains is not None and not {bot.split(":")[0] for bot in bots} <= self._domains:
            raise ValidationError(OUTSIDE)
        return bots

    def clean_scopes(self) -> list[str]:
        scopes: list[str] = self.cleaned_data["scopes"]
        if lacking := lacking_scopes(self._user, scopes):
            raise ValidationError(f"You cannot give what you may not do yourself: {lacking[0].label}. Ask who may.")
        return scopes

    def issue(self) -> str:
        """Return the new token; raise ``BillingError`` for what no token may have."""
        given = self.cleaned_data
        restrictions = tokens.Restrictions(given["networks"].split(), given["qualifiers"].split())
        lifetime = timedelta(days=given["days"])
        return tokens.issue(given["name"], given["bots"], given["scopes"], lifetime=lifetime, restrictions=restrictions)


class IssuingAdmin(ReadOnlyAdmin):
    """For the pages of tokens: adds issuing one, and replacing one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("routing.add_bottoken"))

    def has_rotate_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return self.has_add_permission(request) and bool(request.user.has_perm("routing.change_bottoken"))

    def add_view(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TokenForm(request.POST if request.method == "POST" else None, user=request.user)
        if form.is_valid():
            try:
                return self._show_once(request, form.issue())
            except BillingError as error:
                form.add_error(None, str(error))
        context = {
            **self.admin_site.each_context(request),
            "title": "Issue a bot token",
            "opts": self.opts,
            "form": form,
            "back_url": reverse("admin:routing_bottoken_changelist"),
        }
        return TemplateResponse(request, "admin/routing/issue_token.html", context)

    @action(description="Rotate", permissions=["rotate"], icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        token = self.get_object(request, object_id)
        if token is None or token.revoked_at:
            raise Http404
        if lacking_scopes(request.user, token.scopes):
            raise PermissionDenied
        if not is_confirmed(request):
            back_url = reverse("admin:routing_bottoken_change", args=[token.pk])
            return confirmation_page(request, _ROTATE, [token], back_url)
        return self._show_once(request, tokens.rotate(token))

    def _show_once(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show the token, also where it is valid only once another person has approved it."""

        def page(change: ChangeRequest | None = None) -> HttpResponse:
            context = {
                **self.admin_site.each_context(request),
                "title": "The new bot token",
                "opts": self.opts,
                "token": token,
                "change": change,
                "back_url": reverse("admin:routing_bottoken_changelist"),
            }
            return TemplateResponse(request, "admin/routing/new_token.html", context).render()

        setattr(request, PAGE_IF_PROPOSED, page)
        return page()
