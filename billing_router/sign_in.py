"""The page where people sign in. The admin's pages are imported by the site, which takes this form: it lies outside."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from routing.access import sign_ins


class SignInForm(AuthenticationForm):  # type: ignore[misc]  # unfold has no types
    """Says why a password was not looked at."""

    def get_invalid_login_error(self) -> ValidationError:
        address = sign_ins.address_of(self.request)
        if sign_ins.is_refused(self.cleaned_data.get("username", ""), address):
            return ValidationError(sign_ins.REFUSAL, code="refused")
        error: ValidationError = super().get_invalid_login_error()
        return error
