"""Whose account a request works on: live keys, the accounts they open, and what a restricted key may not do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from sandbox.errors import StripeError
from sandbox.store import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.store import Store

_SHORTEST_SHOWN = 24  # characters
_LIVE = re.compile(r"(sk|rk)_live_[A-Za-z0-9_]{10,240}")


def is_live(key: str) -> bool:
    return _LIVE.fullmatch(key) is not None


def digest(key: str) -> str:
    """Return the name under which a key is remembered, which does not give the key away."""
    return hashlib.sha256(key.encode()).hexdigest()


def own_account(key: str) -> str:
    """Return the account that a key opens when nobody said otherwise: always the same one for the same key."""
    return f"acct_{digest(key)[:16]}"


def admit(store: Store, headers: Mapping[str, str], path: str) -> str:
    """Return the id of the account that the request's key opens; raise 401 or 403 as Stripe does."""
    key = _given(headers)
    if not is_live(key):
        raise _unauthorized(f"Invalid API Key provided: {redacted(key)}. The sandbox takes keys of the live format.")
    known = store.keys.get(digest(key))
    if known is None:
        known = Key(own_account(key), key[-4:])
        store.keep_key(digest(key), known)
    if known.status == "expired":
        raise _unauthorized(f"Expired API Key provided: {redacted(key)}", code="api_key_expired")
    if known.status == "revoked":
        raise _unauthorized(f"Invalid API Key provided: {redacted(key)}")
    _check_permission(known, key, path)
    named = headers.get("stripe-account", known.account)
    if named != known.account:
        raise _forbidden(
            f"The provided key '{redacted(key)}' does not have access to account '{named}' "
            "(or that account does not exist).",
            code="account_invalid",
        )
    return known.account


def redacted(key: str) -> str:
    """Return as much of a key as Stripe shows, and nothing of what is too short to be one."""
    return f"{key[:8]}{'*' * 12}{key[-4:]}" if len(key) >= _SHORTEST_SHOWN else "*" * len(key)


def _given(headers: Mapping[str, str]) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    raise _unauthorized(
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
        "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
    )


def _check_permission(known: Key, key: str, path: str) -> None:
    resource = path.split("/")[2]
    if resource in known.denied:
        raise _forbidden(
            f"The provided key '{redacted(key)}' does not have the required permissions for this endpoint on account "
            f"'{known.account}'. Having a permission for '{resource}' would allow this request to continue."
        )


def _unauthorized(message: str, code: str | None = None) -> StripeError:
    return StripeError(401, "invalid_request_error", message, code=code)


def _forbidden(message: str, code: str | None = None) -> StripeError:
    return StripeError(403, "invalid_request_error", message, code=code)
