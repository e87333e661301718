"""Where the router is and the token that a bot shows it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

import httpx2

from stripe_billing_router.arguments import is_stripe_key
from stripe_billing_router.errors import BillingError, KeyNotAllowed

URL_VARIABLE = "BILLING_ROUTER_URL"
TOKEN_VARIABLE = "BILLING_ROUTER_TOKEN"  # noqa: S105 (the variable's name, not a token)

_BASE = "/api/v1"
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """``base`` is the address of ``/api/v1``; ``token`` is shown to it alone."""

    base: str
    token: str = field(repr=False)


def read(url: str | None, token: str | None) -> Settings:
    """Take what was given, and the environment for what was not."""
    return Settings(_base(url or _variable(URL_VARIABLE, "the router's address")), _token(token))


def _variable(name: str, meaning: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise BillingError(f"{name} is not set: set it to {meaning}, or pass it to Client.")
    return value


def _base(url: str) -> str:
    if not _is_plain_address(url):
        raise BillingError(
            f"{URL_VARIABLE} is not the address of a router: set it to one such as https://billing.example.com, "
            "without user, query or fragment."
        )
    return url.rstrip("/").removesuffix(_BASE) + _BASE


def _is_plain_address(address: str) -> bool:
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        return False
    has_more = url.userinfo or url.query or url.fragment
    return url.scheme in {"http", "https"} and bool(url.host) and not has_more


def _token(given: str | None) -> str:
    token = given or _variable(TOKEN_VARIABLE, "the token that the router's operators issued to this bot")
    if is_stripe_key(token):
        raise KeyNotAllowed(f"{TOKEN_VARIABLE} holds a Stripe key: set it to this bot's own token. No bot needs a key.")
    if not _TOKEN.fullmatch(token):
        raise BillingError(f"{TOKEN_VARIABLE} holds characters that no token has: set it to the token alone.")
    return token
