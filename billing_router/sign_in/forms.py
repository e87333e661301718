"""The forms of signing in, which say why a password or a code was not looked at."""

from __future__ import annotations

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, BaseAuthenticateForm, ReauthenticateForm
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from routing.access import sign_ins


class SignInForm(AuthenticationForm):
    def get_invalid_login_error(self) -> ValidationError:
        address = sign_ins.address_of(self.request)
        if sign_ins.is_refused(self.cleaned_data.get("username", ""), address):
            return ValidationError(sign_ins.REFUSAL, code="refused")
        error: ValidationError = super().get_invalid_login_error()
        return error


class _CountsCodes(BaseAuthenticateForm):
    """Counts wrong codes as wrong passwords are."""

    def clean_code(self) -> str:
        name, address = self.user.get_username(), sign_ins.address_of(context.request)
        if sign_ins.is_refused(name, address):
            raise ValidationError(sign_ins.REFUSAL)
        try:
            code: str = super().clean_code()
        except ValidationError:
            sign_ins.record_wrong_code(name, address)
            raise
        return code


class CodeForm(_CountsCodes, AuthenticateForm):
    """Asks for the code while somebody signs in."""


class CodeAgainForm(_CountsCodes, ReauthenticateForm):
    """Asks for it again before factors are changed."""
