"""Calls to Stripe, each sent once, and once more with a newer key where Stripe refuses the first."""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from routing.errors import PermissionMissing, StripeUnavailable
from routing.keys.keyring import WAIT_SECONDS as KEY_WAIT_SECONDS
from routing.payments.stripe_api import key_renewal, sdk
from routing.payments.stripe_api.responses import StripeResponse
from routing.postgres import release_django_connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routing.keys import AccountKeys
    from routing.payments.stripe_api.responses import JSONObject

RENEWAL_SECONDS = 10.0
"""Only so long after a call began is a newer key looked for, or used: Stripe is quick to refuse one."""

MAX_CALL_SECONDS = RENEWAL_SECONDS + KEY_WAIT_SECONDS + sdk.CONNECT_SECONDS + sdk.RESPONSE_SECONDS

_PAGE_SIZE = 100


def get(keys: AccountKeys, path: str, params: Mapping[str, Any] | None = None) -> StripeResponse:
    """Read an object or a list; a success that is neither the object at ``path`` nor a list counts as no response."""
    response = _call(keys, "get", path, params or {}, {})
    if response.is_success and not _is_at(path, response.body or {}):
        return StripeResponse(request_id=response.request_id)
    return response


def retrieve(keys: AccountKeys, path: str, params: Mapping[str, Any] | None = None) -> JSONObject | None:
    """Return the object at ``path``, or None where Stripe itself says that there is none.

    Raises ``PermissionMissing`` where the key may not read it, and ``StripeUnavailable`` for every other response: a
    404 of a proxy is not Stripe's word.
    """
    response = get(keys, path, params)
    if response.is_success and response.body is not None:
        return response.body
    if response.http_status == HTTPStatus.NOT_FOUND and response.error.code == "resource_missing":
        return None
    raise not_returned(path, response)


def list_all(keys: AccountKeys, path: str, params: Mapping[str, Any]) -> Iterator[JSONObject]:
    """Yield every object of a list, newest first; raise ``StripeUnavailable`` where a page cannot be read."""
    cursor: dict[str, str] = {}
    while True:
        response = get(keys, path, {**params, **cursor, "limit": _PAGE_SIZE})
        if not response.is_success or response.body is None:
            raise not_returned(path, response)
        page, has_more = response.body.get("data"), response.body.get("has_more")
        if not isinstance(page, list) or (has_more and not page):
            raise StripeUnavailable(f"Stripe returned a page of the list {path} that is not one.")
        yield from page
        if not has_more:
            return
        cursor = {"starting_after": page[-1]["id"]}


def post(  # noqa: PLR0913 (a call has these parts, and all but the first three are named)
    keys: AccountKeys,
    path: str,
    params: Mapping[str, Any],
    *,
    idempotency_key: str,
    version: str = sdk.STRIPE_VERSION,
    send_before: float = math.inf,
) -> StripeResponse:
    """Create or change an object, at most once for the idempotency key; a resend keeps its first send's version.

    Nothing is sent when ``send_before``, by this process's monotonic clock, is past.
    """
    if time.monotonic() > send_before:
        return StripeResponse(was_sent=False)
    return _call(keys, "post", path, params, {"idempotency_key": idempotency_key, "stripe_version": version})


def delete(keys: AccountKeys, path: str) -> StripeResponse:
    """Delete at Stripe; deleting twice is the same as deleting once."""
    return _call(keys, "delete", path, {}, {})


def _call(
    keys: AccountKeys, method: str, path: str, params: Mapping[str, Any], options: Mapping[str, str]
) -> StripeResponse:
    """Make the call; where Stripe refuses the key, once more with a newer one, which changes nothing else.

    No connection to the database is held meanwhile: many slow calls would keep it from everybody else.
    """
    release_django_connection()
    renewable_until = time.monotonic() + RENEWAL_SECONDS
    response = sdk.send(keys, method, path, params, options)
    if not key_renewal.is_key_refused(response) or time.monotonic() > renewable_until:
        return response
    newer = key_renewal.fetch_newer_keys(keys)
    if newer is None or time.monotonic() > renewable_until:
        return response
    return sdk.send(newer, method, path, params, options)


def not_returned(path: str, response: StripeResponse) -> StripeUnavailable:
    reason = response.error.message or "there was no response."
    if response.http_status == HTTPStatus.FORBIDDEN:
        return PermissionMissing(f"The domain's Stripe key may not read {path}: {reason}")
    return StripeUnavailable(f"Stripe did not return {path}: {reason}")


def _is_at(path: str, found: JSONObject) -> bool:
    name = path.rpartition("/")[2]
    return found.get("object") in {"list", name} or found.get("id") == name
