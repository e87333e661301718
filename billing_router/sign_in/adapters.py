"""What django-allauth asks of the router: who may sign in, how secrets are stored, and who an identity is."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import reverse

from routing.access import sign_ins

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_NO_USER = (
    "No user of the router has the email address of your identity, or more than one. Ask an administrator to enter it "
    "on your user's page."
)


class Accounts(DefaultAccountAdapter):
    def is_open_for_signup(self, _request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        if not user.is_staff:
            messages.error(request, "This user may not use the admin. Ask an administrator.")
            return HttpResponseRedirect(reverse("account_login"))
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def reauthenticate(self, user: User, password: str) -> bool:  # noqa: ARG002 (it is the request's)
        try:
            return sign_ins.is_password_of(context.request, password)
        except PermissionDenied:
            return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return sign_ins.address_of(request) or "0.0.0.0"  # noqa: S104 (an address that is not known, as over a socket)


class SecondFactors(DefaultMFAAdapter):
    """Stores secrets encrypted: whoever reads the database alone can make no codes."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


class Identities(DefaultSocialAccountAdapter):
    """An identity signs in the user who has its verified email address; it makes no user."""

    def is_open_for_signup(self, _request: HttpRequest, _sociallogin: Any) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        if sociallogin.is_existing:
            return
        verified = {each.email.lower() for each in sociallogin.email_addresses if each.verified}
        users = [user for user in User.objects.filter(is_active=True, is_staff=True) if user.email.lower() in verified]
        if len(users) != 1:
            messages.error(request, _NO_USER)
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_login")))
        sociallogin.connect(request, users[0])


def _cipher() -> Fernet:
    key = hmac.digest(settings.SECRET_KEY.encode(), b"second factors", hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))
