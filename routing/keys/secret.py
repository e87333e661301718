"""Values that must never be shown, and the check that each is the live key that it is stored as."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Never

from routing.keys.source import Refused
from stripe_billing_router import secret_patterns as patterns


class Secret:
    """A value that only ``reveal()`` returns."""

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
        raise AttributeError("A Secret is immutable: create another one.")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError("A Secret is immutable: create another one.")

    def __getstate__(self) -> Never:
        # pickle, copy and deepcopy all come here, whatever their protocol
        raise TypeError("A Secret cannot be pickled or copied: pass the Secret itself, within this process.")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value that Stripe issues: the pattern of its prefix, and what to store where it is expected."""

    prefix: str
    remedy: str

    def fits(self, text: str) -> bool:
        return re.fullmatch(self.prefix + _BODY, text) is not None


_BODY = r"[A-Za-z0-9_]{10,}"

SECRET_KEY = Kind(patterns.LIVE_SECRET_KEY, "store the account's restricted live key, which begins with rk_live_")
PUBLIC_KEY = Kind(patterns.LIVE_PUBLISHABLE_KEY, "store the account's publishable live key, which begins with pk_live_")
WEBHOOK_SECRET = Kind(patterns.WEBHOOK_SECRET, "store the endpoint's signing secret, which begins with whsec_")

_MISTAKES = (
    (patterns.TEST_KEY, "is a test-mode key"),
    (patterns.ORGANIZATION_KEY, "is an organization key, which opens more than one account"),
    (patterns.LIVE_SECRET_KEY, "is a secret key"),
    (patterns.LIVE_PUBLISHABLE_KEY, "is a publishable key"),
    (patterns.WEBHOOK_SECRET, "is a webhook signing secret"),
    (patterns.VAULT_TOKEN, "is a Vault token"),
    (patterns.BOT_TOKEN, "is a bot token of the router"),
)


def check_secret(value: object, kind: Kind, where: str) -> Secret:
    """Return ``value`` as a Secret if it is of that kind; otherwise raise ``Refused``, whose message never shows it."""
    if isinstance(value, str) and kind.fits(value):
        return Secret(value)
    raise Refused(f"The value of {where} {_mistake(value, kind)}: {kind.remedy}.")


def _mistake(value: object, kind: Kind) -> str:
    if not isinstance(value, str):
        return "is not a string"
    if not value:
        return "is empty"
    if any(character.isspace() for character in value):
        return "contains a space or a line break"
    if re.match(kind.prefix, value):
        return "is truncated or contains characters that Stripe does not use"
    return next((mistake for prefix, mistake in _MISTAKES if re.match(prefix, value)), "has an unknown prefix")
