"""Who is signed in, and whether he has shown it a short time ago: for what nobody may do at a desk left open."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from unfold.widgets import UnfoldAdminPasswordWidget

from routing.access import sign_ins
from routing.admin.shared.confirmation import is_confirmed
from routing.admin.shared.forms import PlainForm
from routing.audit.acting import Person

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest

RECENT = timedelta(minutes=10)

_SIGNED_IN_AT = "signed_in_at"


def person_of(request: HttpRequest) -> Person:
    return Person(request.user.get_username(), cast("int", request.user.pk))


def is_recent(request: HttpRequest) -> bool:
    return bool(time.time() - request.session.get(_SIGNED_IN_AT, 0) < RECENT.total_seconds())


def remember(request: HttpRequest) -> None:
    request.session[_SIGNED_IN_AT] = time.time()


def _signed_in(request: HttpRequest, **_signal: Any) -> None:
    remember(request)


user_logged_in.connect(_signed_in)


class PasswordForm(PlainForm):
    """Asks for the password of whoever is signed in, unless that was a short time ago."""

    password = forms.CharField(label="Your password", widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}))

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        super().__init__(request.POST if is_confirmed(request) else None)
        self.fields["password"].help_text = "You signed in more than ten minutes ago." + (
            ""
            if cast("User", request.user).has_usable_password()
            else " You have no password here: log out, sign in, and come back."
        )
        if is_recent(request):
            del self.fields["password"]

    def is_valid(self) -> bool:
        return not self.fields or super().is_valid()

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            is_right = sign_ins.is_password_of(self._request, password)
        except PermissionDenied as error:
            raise forms.ValidationError(str(error)) from None
        if not is_right:
            raise forms.ValidationError("That is not your password.")
        remember(self._request)
        return password
