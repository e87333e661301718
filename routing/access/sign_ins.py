"""Signing in to the admin: every attempt is recorded, and too many wrong passwords stop further ones for a while.

Nobody is locked out for ever by somebody else: whoever has signed in from an address within the last month can do so
from there again, unless the wrong passwords came from that address too.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.db.models.functions import Now

from routing.access.models import SignIn, SignInOutcome

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, User
    from django.http import HttpRequest

_WINDOW = timedelta(minutes=15)
"""How long a wrong password counts."""

_MAX_PER_PLACE = 10
"""Wrong passwords of one user from one address."""

_MAX_PER_USER = 20
"""Wrong passwords of one user from anywhere, for an address from which he has not signed in."""

_MAX_PER_ADDRESS = 50
"""Wrong passwords from one address for any user, likewise."""

_KNOWN_FOR = timedelta(days=30)

REFUSAL = (
    "There were too many wrong passwords, so none is looked at for now. Try again in 15 minutes, or from a computer "
    "where you have signed in before."
)


class Backend(ModelBackend):
    """Django's own, for which too many attempts have no password at all."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        name, address = username or "", address_of(request)
        if is_refused(name, address):
            raise PermissionDenied(REFUSAL)
        user = super().authenticate(request, username=username, password=password, **kwargs)
        if user is None:
            _record(SignInOutcome.WRONG_PASSWORD, _known_name(name), address)
        return user


def is_password_of(request: HttpRequest, password: str) -> bool:
    """Say whether it is the password of whoever is signed in; raise ``PermissionDenied`` after too many attempts."""
    name, address = request.user.get_username(), address_of(request)
    if is_refused(name, address):
        raise PermissionDenied(REFUSAL)
    if request.user.check_password(password):
        return True
    _record(SignInOutcome.WRONG_PASSWORD, name, address)
    return False


def is_refused(username: str, address: str | None) -> bool:
    """Say whether a password for the user is not even looked at now, and record that it was not, once in a while."""
    name = _known_name(username)
    recent = SignIn.objects.filter(Q(name=name) | Q(address=address), at__gt=Now() - _WINDOW)
    wrong = Q(outcome__in=(SignInOutcome.WRONG_PASSWORD, SignInOutcome.WRONG_CODE))
    here = Q(address=address) if address else Q(address=None)
    counts = recent.aggregate(
        by_place=Count("pk", filter=wrong & here & Q(name=name)),
        by_user=Count("pk", filter=wrong & Q(name=name)),
        by_address=Count("pk", filter=wrong & Q(address=address)),
        refused=Count("pk", filter=here & Q(name=name, outcome=SignInOutcome.REFUSED)),
    )
    is_user_under_attack = bool(name) and counts["by_user"] >= _MAX_PER_USER
    is_by_stranger = is_user_under_attack or counts["by_address"] >= _MAX_PER_ADDRESS
    if counts["by_place"] < _MAX_PER_PLACE and not (is_by_stranger and not _is_known(name, address)):
        return False
    if not counts["refused"]:
        _record(SignInOutcome.REFUSED, name, address)
    return True


def record_wrong_code(name: str, address: str | None) -> None:
    """Count a wrong code of a second factor as a wrong password is."""
    _record(SignInOutcome.WRONG_CODE, name, address)


def address_of(request: HttpRequest | None) -> str | None:
    """Return the address that a request came from; None where it came from no network, as over a socket."""
    try:
        return str(ip_address(request.META["REMOTE_ADDR"])) if request is not None else None
    except (KeyError, ValueError):
        return None


def _is_known(name: str, address: str | None) -> bool:
    signed_in = SignIn.objects.filter(outcome=SignInOutcome.SIGNED_IN, name=name, address=address)
    return bool(name) and signed_in.filter(at__gt=Now() - _KNOWN_FOR).exists()


def _known_name(given: str) -> str:
    """Return the name if a user has it: whatever else is typed there may be a password."""
    return given if "\0" not in given and get_user_model().objects.filter(username=given).exists() else ""


def _record(outcome: SignInOutcome, name: str, address: str | None) -> None:
    SignIn.objects.create(outcome=outcome, name=name, address=address)


def _signed_in(request: HttpRequest, user: AbstractBaseUser, **_signal: Any) -> None:
    _record(SignInOutcome.SIGNED_IN, user.get_username(), address_of(request))


def _signed_out(request: HttpRequest, user: AbstractBaseUser | None, **_signal: Any) -> None:
    if user is not None:
        _record(SignInOutcome.SIGNED_OUT, user.get_username(), address_of(request))


user_logged_in.connect(_signed_in)
user_logged_out.connect(_signed_out)
