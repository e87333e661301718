"""Whether a webhook was signed by Stripe, just now, with one of the domain's secrets."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import stripe  # noqa: TID251 (this package is the one place that speaks to Stripe)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routing.keys import Secret

TOLERANCE_SECONDS = 300
"""How far from now, before or after, a webhook may have been signed."""

_SIGNATURE = re.compile(r"t=([0-9]{1,12})(?:,v[0-9]+=[0-9a-f]+)+")
"""The header Stripe-Signature: one time, which is part of what is signed, then the signatures."""

_SPACED_COMMA = re.compile(r"[ \t]*,[ \t]*")
"""White space about the commas of a list means nothing, and proxies add it, RFC 9110 section 5.6.1."""


class InvalidSignature(Exception):  # noqa: N818 (named for what is wrong)
    """A webhook has no valid signature; the sentence says why, and is for the log alone."""


def verify_signature(body: bytes, header: str, secrets: Iterable[Secret]) -> str:
    """Return the text of a webhook that Stripe signed just now with one of ``secrets``; raise ``InvalidSignature``.

    The SDK takes a time in the future and a header with several times, and fails in its own ways on bytes that are
    not text: all that is refused first.
    """
    header = _SPACED_COMMA.sub(",", header)
    form = _SIGNATURE.fullmatch(header)
    if form is None:
        raise InvalidSignature("Its header Stripe-Signature is missing, or not in Stripe's form.")
    if abs(time.time() - int(form[1])) > TOLERANCE_SECONDS:
        raise InvalidSignature("It was signed more than five minutes from now. If it came from Stripe, set the clock.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidSignature("Its body is not UTF-8.") from None
    if not any(_is_signed_with(secret, text, header) for secret in secrets):
        raise InvalidSignature("It is not signed with any of the domain's webhook secrets.")
    return text


def _is_signed_with(secret: Secret, text: str, header: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(text, header, secret.reveal(), TOLERANCE_SECONDS)
    except stripe.SignatureVerificationError:
        return False
    return True
