"""How a webhook's Stripe-Signature header is written: as Stripe does, or as it may arrive.

https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

import secrets
from typing import Literal

from sandbox import wheel

Style = Literal["plain", "spaced", "two_lines", "rolled", "with_v0", "stale", "wrong"]
"""``rolled`` is signed with a secret that is no more, and with the present one; ``stale`` ten minutes ago.

``spaced`` and ``two_lines`` are what gateways on the way make of a header that is a list.
"""

_STALE = 10 * 60  # seconds


def headers(payload: str, secret: str, now: int, style: Style) -> list[str]:
    """Return the values of the Stripe-Signature header, one for each line that it takes."""
    signed = wheel.signature(payload, secret, now)
    another = wheel.signature(payload, f"whsec_{secrets.token_hex(16)}", now)
    written: dict[Style, list[str]] = {
        "plain": [signed],
        "spaced": [signed.replace(",", ", ")],
        "two_lines": signed.split(","),
        "rolled": [f"{another},{signed.partition(',')[2]}"],
        "with_v0": [f"{signed},v0={secrets.token_hex(32)}"],
        "stale": [wheel.signature(payload, secret, now - _STALE)],
        "wrong": [another],
    }
    return written[style]
