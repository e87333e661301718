"""The only module that speaks to Stripe. It sends what it is told, once, and returns the answer as a plain value."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import stripe  # noqa: TID251 (this is the place)
from django.conf import settings

from routing.errors import StripeUnavailable
from routing.keys.keyring import FIRST_ANSWER_SECONDS
from routing.payments import fresh_keys
from routing.payments.answers import Answer
from routing.payments.exchange import BrokenError, Exchanger, NeverSentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from routing.keys import AccountKeys, Secret
    from routing.payments.answers import JSONObject

STRIPE_VERSION = "2026-10-28.endive"
"""The API version that the pinned SDK was made for; frozen into each request."""

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
"""For the whole answer; a write at Stripe takes one to two seconds."""

RENEWAL_SECONDS = 10.0
"""Only so long after a call began is a newer key looked for, or used: Stripe is quick to refuse one."""

LONGEST_CALL_SECONDS = RENEWAL_SECONDS + FIRST_ANSWER_SECONDS + CONNECT_SECONDS + ANSWER_SECONDS

SIGNED_WITHIN_SECONDS = 300
"""How far from now, before or after, a webhook may have been signed."""

_PAGE = 100
_LIVE_API = "https://api.stripe.com"

_SIGNATURE = re.compile(r"t=([0-9]{1,12})(?:,v[0-9]+=[0-9a-f]+)+")
"""The header Stripe-Signature: one time, which is part of what is signed, then the signatures."""

logger = logging.getLogger(__name__)
stripe.enable_telemetry = False  # it would write a file


def get(keys: AccountKeys, path: str, params: Mapping[str, Any] | None = None) -> Answer:
    """Read an object or a list; what is neither the one that was asked for nor a list says nothing."""
    answer = _call(keys, "get", path, params or {}, {})
    return answer if not answer.is_success or _is_of(path, answer.body or {}) else Answer(request_id=answer.request_id)


def post(  # noqa: PLR0913 (a call has these parts, and all but the first three are named)
    keys: AccountKeys,
    path: str,
    params: Mapping[str, Any],
    *,
    idempotency_key: str,
    version: str = STRIPE_VERSION,
    send_before: float = math.inf,
) -> Answer:
    """Change something at Stripe, at most once for the idempotency key; a resend keeps its first send's version.

    Nothing is sent when ``send_before``, by this process's monotonic clock, is past.
    """
    if time.monotonic() > send_before:
        return Answer(was_sent=False)
    return _call(keys, "post", path, params, {"idempotency_key": idempotency_key, "stripe_version": version})


def listed(keys: AccountKeys, path: str, params: Mapping[str, Any]) -> Iterator[JSONObject]:
    """Yield every object of a list, newest first; raise ``StripeUnavailable`` where a page cannot be had."""
    cursor: dict[str, str] = {}
    while True:
        answer = get(keys, path, {**params, **cursor, "limit": _PAGE})
        if not answer.is_success or answer.body is None:
            raise StripeUnavailable(f"Stripe did not give the list {path}: {answer.error.message or 'no answer'}")
        page, has_more = answer.body.get("data"), answer.body.get("has_more")
        if not isinstance(page, list) or (has_more and not page):
            raise StripeUnavailable(f"Stripe gave a page of the list {path} that is none.")
        yield from page
        if not has_more:
            return
        cursor = {"starting_after": page[-1]["id"]}


def delete(keys: AccountKeys, path: str) -> Answer:
    """Delete at Stripe; to do it twice is as good as once."""
    return _call(keys, "delete", path, {}, {})


class NotSigned(Exception):  # noqa: N818 (named for what it says)
    """A webhook does not carry a signature that counts; the sentence says why, and is for the log alone."""


def check_signature(body: bytes, header: str, secrets: Iterable[Secret]) -> str:
    """Return the text of a webhook that Stripe signed just now with one of ``secrets``; raise ``NotSigned``.

    The SDK takes a time in the future and a header with several times, and fails in its own ways on bytes that are
    not text: all that is refused first.
    """
    form = _SIGNATURE.fullmatch(header)
    if form is None:
        raise NotSigned("Its header Stripe-Signature is missing, or not in Stripe's form.")
    if abs(time.time() - int(form[1])) > SIGNED_WITHIN_SECONDS:
        raise NotSigned("It was signed more than five minutes from now. If it came from Stripe, set the clock.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotSigned("Its body is not UTF-8.") from None
    if not any(_is_signed_with(secret, text, header) for secret in secrets):
        raise NotSigned("It is not signed with any of the domain's webhook secrets.")
    return text


def _is_signed_with(secret: Secret, text: str, header: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(text, header, secret.reveal(), SIGNED_WITHIN_SECONDS)
    except stripe.SignatureVerificationError:
        return False
    return True


def account(keys: AccountKeys) -> Answer:
    """Ask whose account the key opens: this very key, and no newer one in its place."""
    return _send(keys, "get", "/v1/account", {}, {})


def _is_of(path: str, found: JSONObject) -> bool:
    name = path.rpartition("/")[2]
    return found.get("object") in {"list", name} or found.get("id") == name


def _call(keys: AccountKeys, method: str, path: str, params: Mapping[str, Any], options: Mapping[str, str]) -> Answer:
    """Make the call; where Stripe refuses the key, once more with a newer one, which changes nothing else."""
    renewable_until = time.monotonic() + RENEWAL_SECONDS
    answer = _send(keys, method, path, params, options)
    if not fresh_keys.is_refusal(answer) or time.monotonic() > renewable_until:
        return answer
    newer = fresh_keys.instead_of(keys, account)
    if newer is None or time.monotonic() > renewable_until:
        return answer
    return _send(newer, method, path, params, options)


def _send(keys: AccountKeys, method: str, path: str, params: Mapping[str, Any], options: Mapping[str, str]) -> Answer:
    client = stripe.StripeClient(
        keys.secret_key.reveal(),
        http_client=_transport(os.getpid()),
        base_addresses={"api": _api_base()},
        stripe_version=STRIPE_VERSION,
        max_network_retries=0,
    )
    try:
        response = client.raw_request(method, path, **params, **options)
        answer = _answer(response.code, response.data, response.headers)
    except NeverSentError:
        answer = Answer(was_sent=False)
    except BrokenError:
        answer = Answer()
    except stripe.StripeError as error:
        answer = _answer(error.http_status, _parsed(error.http_body), error.headers)
    except Exception as error:  # noqa: BLE001 (its traceback would print the answer)
        logger.error("The answer to %s %s could not be read: %s.", method.upper(), path, type(error).__name__)  # noqa: TRY400 (as above)
        answer = Answer()  # it was sent: whatever went wrong since, the outcome is not known
    logger.info("Stripe answered %s to %s %s %s.", answer.http_status, method.upper(), path, answer.request_id)
    return answer


def _answer(http_status: int | None, body: object, headers: Mapping[str, str] | None) -> Answer:
    headers = headers or {}
    return Answer(
        http_status=http_status,
        body=body if isinstance(body, dict) else None,
        request_id=headers.get("request-id", ""),
        is_replay=headers.get("idempotent-replayed") == "true",
    )


def _parsed(body: object) -> object:
    """Return an error's body. The SDK's own reading of one that is not JSON, 200 or not, is the answer's headers."""
    try:
        return json.loads(str(body))
    except (ValueError, RecursionError):
        return None


def _api_base() -> str:
    if not settings.IS_SANDBOX:
        return _LIVE_API
    if settings.STRIPE_API_BASE is None:
        raise StripeUnavailable(
            "This is a sandbox, and it is not told where the sandbox Stripe is. Start one with "
            "'python -m sandbox --port 12111' and set STRIPE_API_BASE=http://127.0.0.1:12111"
        )
    return str(settings.STRIPE_API_BASE)


class _Transport(stripe.HTTPClient):
    """The SDK's way to Stripe: connections that all its clients share, and no second try."""

    name = "urllib3"

    def __init__(self) -> None:
        super().__init__()
        self._exchanger = Exchanger(stripe.ca_bundle_path, CONNECT_SECONDS)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        return self._exchanger.exchange(method.upper(), url, headers, post_data, answer_seconds=ANSWER_SECONDS)

    def close(self) -> None:
        self._exchanger.close()


@lru_cache(maxsize=1)
def _transport(_process: int) -> _Transport:
    """Make the transport of this process: one that was forked makes its own."""
    return _Transport()
