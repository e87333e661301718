"""Masks the secrets in what the guard prints.

``stripe_billing_router/redaction.py`` masks the same, but the guard imports nothing of the client. A test holds the two
to the same results.
"""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"""
    (?P<prefix>
        [rsp]k_(?:live|test)_ | [rsp]k_org_(?:(?:live|test)_)? | whsec_   # Stripe
      | hv[bsr]\.                                                         # Vault
      | (?: (?<![a-z0-9]) | (?<=\\[nrt]) | (?<=%[0-9a-f]{2}) )
        [bsr]\.(?=[a-z0-9]{24})                                           # OpenBao, and Vault before 1.10
      | brt_                                                              # the router's own bot tokens
    )
    [a-z0-9_+/=-]+
    |
    (?P<scheme> \bbearer\s+ ) [a-z0-9_.~+/=-]{8,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return ``text`` with every key, token and signing secret masked, but for the prefix that tells its kind."""
    return _SECRET.sub(lambda found: f"{found['prefix'] or found['scheme']}***", text)
