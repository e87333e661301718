"""Values that must never be seen, and the check that each is the live key that it is stored as."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Never

from routing.keys.source import Refused


class Secret:
    """A value that shows itself to nobody but the caller of ``reveal()``."""

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError("A Secret does not change; make another one.")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError("A Secret does not change; make another one.")

    def __getstate__(self) -> Never:
        # pickle, copy and deepcopy all come here, whatever their protocol
        raise TypeError("A Secret is not pickled or copied: hand over the Secret itself, within this process.")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value that Stripe gives out: how it begins, and what to store where it is expected."""

    prefix: re.Pattern[str]
    remedy: str

    def fits(self, text: str) -> bool:
        found = self.prefix.match(text)
        return found is not None and _BODY.fullmatch(text, found.end()) is not None


_BODY = re.compile(r"[A-Za-z0-9_]{10,}")

SECRET_KEY = Kind(re.compile(r"[rs]k_live_"), "store the account's restricted live key, which begins with rk_live_")
PUBLIC_KEY = Kind(re.compile(r"pk_live_"), "store the account's publishable live key, which begins with pk_live_")
WEBHOOK_SECRET = Kind(re.compile(r"whsec_"), "store the endpoint's signing secret, which begins with whsec_")

_MISTAKES = (
    (re.compile(r"[a-z]+_(org_)?test_"), "is a test-mode key"),
    (re.compile(r"[rs]k_org_"), "is an organization's key, which reaches more than one account"),
    (re.compile(r"[rs]k_"), "is a secret key"),
    (re.compile(r"pk_"), "is a publishable key"),
    (re.compile(r"whsec_"), "is a webhook signing secret"),
)


def checked(value: object, kind: Kind, where: str) -> Secret:
    """Return ``value`` as a Secret if it is of that kind; otherwise raise ``Refused`` with the reason alone."""
    if isinstance(value, str) and kind.fits(value):
        return Secret(value)
    raise Refused(f"The value of {where} {_mistake(value, kind)}: {kind.remedy}.")


def _mistake(value: object, kind: Kind) -> str:
    if not isinstance(value, str):
        return "is not text"
    if not value:
        return "is empty"
    if any(character.isspace() for character in value):
        return "holds a space or a line break"
    if kind.prefix.match(value):
        return "is cut short or holds characters that Stripe does not use"
    return next((what for prefix, what in _MISTAKES if prefix.match(value)), "does not begin as it should")
