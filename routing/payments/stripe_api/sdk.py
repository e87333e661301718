"""One request through Stripe's SDK, with the very keys that are given, and its response as a plain value."""

from __future__ import annotations

import json
import logging
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import stripe  # noqa: TID251 (this package is the one place that speaks to Stripe)
from django.conf import settings

from routing.errors import StripeUnavailable
from routing.payments.stripe_api.http import NotSent, ResponseLost, Transport, authorized_by
from routing.payments.stripe_api.responses import StripeResponse
from routing.tracebacks import without_inner_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.keys import AccountKeys

STRIPE_VERSION = "2026-10-28.endive"
"""The API version that the pinned SDK was made for; frozen into each request."""

CONNECT_SECONDS = 5.0
RESPONSE_SECONDS = 30.0
"""For the whole response; a write at Stripe takes one to two seconds."""

_LIVE_API = "https://api.stripe.com"

_NO_KEY = "the transport has it"
"""What the SDK is given instead of a key, which its clients and headers would show."""

logger = logging.getLogger(__name__)
stripe.enable_telemetry = False  # it would write a file


@without_inner_frames
def send(
    keys: AccountKeys, method: str, path: str, params: Mapping[str, Any], options: Mapping[str, str]
) -> StripeResponse:
    """Send once. ``options`` are the SDK's: ``idempotency_key``, ``stripe_version``."""
    client = stripe.StripeClient(
        _NO_KEY,
        http_client=_http_client(os.getpid()),
        base_addresses={"api": _api_base()},
        stripe_version=STRIPE_VERSION,
        max_network_retries=0,
    )
    try:
        with authorized_by(keys.secret_key):
            raw = client.raw_request(method, path, **params, **options)
        response = _response(raw.code, raw.data, raw.headers)
    except NotSent:
        response = StripeResponse(was_sent=False)
    except ResponseLost:
        response = StripeResponse()
    except stripe.StripeError as error:
        response = _response(error.http_status, _parse(error.http_body), error.headers)
    except Exception as error:  # noqa: BLE001 (its traceback would print the response)
        logger.error("The response to %s %s could not be read: %s.", method.upper(), path, type(error).__name__)  # noqa: TRY400 (as above)
        response = StripeResponse()  # it was sent: whatever went wrong since, the outcome is not known
    logger.info("Stripe answered %s to %s %s %s.", response.http_status, method.upper(), path, response.request_id)
    return response


def _response(http_status: int | None, body: object, headers: Mapping[str, str] | None) -> StripeResponse:
    headers = headers or {}
    return StripeResponse(
        http_status=http_status,
        body=body if isinstance(body, dict) else None,
        request_id=headers.get("request-id", ""),
        is_replay=headers.get("idempotent-replayed") == "true",
    )


def _parse(body: object) -> object:
    """Return an error's body. The SDK itself takes the response's headers for a body that is not JSON."""
    try:
        return json.loads(str(body))
    except (ValueError, RecursionError):
        return None


def _api_base() -> str:
    if not settings.IS_SANDBOX:
        return _LIVE_API
    if settings.STRIPE_API_BASE is None:
        raise StripeUnavailable(
            "This is a sandbox, and it does not know where the sandbox Stripe is. Start one with "
            "'python -m sandbox --port 12111' and set STRIPE_API_BASE=http://127.0.0.1:12111"
        )
    return str(settings.STRIPE_API_BASE)


class _HTTPClient(stripe.HTTPClient):
    """What the SDK sends with: connections that all its clients share, and no retry."""

    name = "urllib3"

    def __init__(self) -> None:
        super().__init__()
        self._transport = Transport(stripe.ca_bundle_path, CONNECT_SECONDS)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        return self._transport.send(method.upper(), url, headers, post_data, response_seconds=RESPONSE_SECONDS)

    def close(self) -> None:
        self._transport.close()


@lru_cache(maxsize=1)
def _http_client(_process: int) -> _HTTPClient:
    """Make the client of this process: one that was forked makes its own."""
    return _HTTPClient()
