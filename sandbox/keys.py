"""Whose account a request works on: live keys, the accounts they open, and what a restricted key may not do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from sandbox import permissions
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


def admit(store: Store, headers: Mapping[str, str], method: str, path: str) -> Key:
    """Return what is known of the request's key, and so its account; raise 401 or 403 as Stripe does."""
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
    need = permissions.needed(method, path)
    if permissions.is_known(need.resource):
        check(known, need)
    named = headers.get("stripe-account", known.account)
    if named != known.account:
        raise _forbidden(
            f"The provided key '{redacted(key)}' does not have access to account '{named}' "
            "(or that account does not exist).",
            code="account_invalid",
        )
    return known


def check(known: Key, need: permissions.Need) -> None:
    """Raise Stripe's 403 unless a key has the permission that is needed; it names the permission."""
    if not permissions.allows(known.permissions, known.otherwise, need):
        raise _forbidden(
            f"Permission denied. The provided key 'rk_live_***{known.last_four}' does not have the required "
            f"permissions for this endpoint on account '{known.account}'. Enabling {need} permissions on this key "
            "would allow this request to continue. You can edit permissions at https://dashboard.stripe.com/apikeys",
            code="more_permissions_required",
        )


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


def _unauthorized(message: str, code: str | None = None) -> StripeError:
    return StripeError(401, "invalid_request_error", message, code=code)


def _forbidden(message: str, code: str | None = None) -> StripeError:
    return StripeError(403, "invalid_request_error", message, code=code)
