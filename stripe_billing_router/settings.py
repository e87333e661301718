"""The router's URL and the bot's token, from arguments or the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

import httpx2

from stripe_billing_router.errors import BillingError, KeyNotAllowed
from stripe_billing_router.secret_patterns import contains_stripe_key

URL_VARIABLE = "BILLING_ROUTER_URL"
TOKEN_VARIABLE = "BILLING_ROUTER_TOKEN"  # noqa: S105 (the variable's name, not a token)

_API_PATH = "/api/v1"
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """``base_url`` ends with ``/api/v1``; ``token`` is sent there and nowhere else."""

    base_url: str
    token: str = field(repr=False)


def read(url: str | None, token: str | None) -> Settings:
    """Return what was passed, and the environment's for what was not."""
    return Settings(_base_url(url or _variable(URL_VARIABLE, "the router's URL")), _token(token))


def _variable(name: str, meaning: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise BillingError(f"{name} is not set: set it to {meaning}, or pass it to Client.")
    return value


def _base_url(url: str) -> str:
    if not _is_plain_url(url):
        raise BillingError(
            f"{URL_VARIABLE} is not a valid URL: set it to one such as https://billing.example.com, without user, "
            "query or fragment."
        )
    return url.rstrip("/").removesuffix(_API_PATH) + _API_PATH


def _is_plain_url(text: str) -> bool:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        return False
    has_more = url.userinfo or url.query or url.fragment
    return url.scheme in {"http", "https"} and bool(url.host) and not has_more


def _token(passed: str | None) -> str:
    token = passed or _variable(TOKEN_VARIABLE, "the token that the router's operators issued to this bot")
    if contains_stripe_key(token):
        raise KeyNotAllowed(
            f"{TOKEN_VARIABLE} holds a Stripe key: set it to this bot's own token. Bots need no Stripe key."
        )
    if not _TOKEN.fullmatch(token):
        raise BillingError(
            f"{TOKEN_VARIABLE} contains characters that are not valid in a token: set it to the token alone."
        )
    return token
