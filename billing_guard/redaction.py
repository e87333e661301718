"""Masks the secrets in what the guard prints.

It stands in ``stripe_billing_router/redaction.py`` too, because the guard imports nothing of the client. A test holds
the two patterns equal.
"""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"""
    (?P<begins>
        [sr]k_(?:org_)?(?:live|test)_ | whsec_         # Stripe
      | \bhv[sbr]\. | \b[sbr]\.(?=[A-Za-z0-9]{24})    # Vault; OpenBao, and Vault before 1.10
      | brt_                                           # the router's own bot tokens
    )
    [A-Za-z0-9_+/=-]+
    |
    (?P<scheme>\bbearer\s+) [A-Za-z0-9_.~+/=-]{8,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return ``text`` with every key, token and signing secret masked, but for the prefix that tells its kind."""
    return _SECRET.sub(lambda found: f"{found['begins'] or found['scheme']}***", text)
