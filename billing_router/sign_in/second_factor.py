"""Requires of everybody who uses the admin in production a second factor: a passkey, or an authenticator app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponseRedirect
from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_FACTORS = (Authenticator.Type.WEBAUTHN, Authenticator.Type.TOTP)

_SET_UP = "Before you use the admin, add a passkey or an authenticator app: a password alone is not enough here."


class RequireSecondFactor:
    """Comes after the middleware that knows the user. An identity provider answers for its own factors."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.REQUIRE_SECOND_FACTOR:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _is_admin_page(request.path) and request.user.is_authenticated and not _has_second_factor(request):
            messages.warning(request, _SET_UP)
            return HttpResponseRedirect(reverse("mfa_index"))
        return self.get_response(request)


def _is_admin_page(path: str) -> bool:
    index = reverse("admin:index")
    own = tuple(f"{index}{part}/" for part in ("account", "login", "logout", "jsi18n"))
    return path.startswith(index) and not path.startswith(own)


def _has_second_factor(request: HttpRequest) -> bool:
    methods = {record["method"] for record in get_authentication_records(request, request.user)}
    return "socialaccount" in methods or Authenticator.objects.filter(user=request.user, type__in=_FACTORS).exists()
