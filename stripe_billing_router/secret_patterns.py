"""What Stripe keys, signing secrets, Vault tokens and bot tokens look like.

The one definition, for all that refuses or masks them: the client, the logs, the registry and its constraints in the
database. The patterns use only what Python and PostgreSQL read alike, and are in lower case: whoever compiles one
decides whether case matters.
"""

from __future__ import annotations

import re

LIVE_SECRET_KEY = r"[rs]k_live_"  # noqa: S105 (a pattern, no password)
LIVE_PUBLISHABLE_KEY = r"pk_live_"
TEST_KEY = r"[rsp]k_(?:org_)?test_"
ORGANIZATION_KEY = r"[rsp]k_org_(?:live_)?"
"""For all accounts of an organization, with or without the mode in its prefix."""

WEBHOOK_SECRET = r"whsec_"  # noqa: S105 (a pattern)
VAULT_TOKEN = r"hv[bsr]\."  # noqa: S105 (a pattern)
LEGACY_VAULT_TOKEN = r"[bsr]\.(?=[a-z0-9]{24})"  # noqa: S105 (a pattern)
"""As OpenBao issues, and Vault before 1.10. Without its length the prefix would say nothing."""

BOT_TOKEN = r"brt_"  # noqa: S105 (a pattern)

STRIPE_PREFIX = rf"{LIVE_SECRET_KEY}|{LIVE_PUBLISHABLE_KEY}|{TEST_KEY}|{ORGANIZATION_KEY}|{WEBHOOK_SECRET}"
PREFIX = rf"{STRIPE_PREFIX}|{VAULT_TOKEN}|{BOT_TOKEN}"
BOUNDARY = r"(?:(?<![a-z0-9])|(?<=\\[nrt])|(?<=%[0-9a-f]{2}))"
"""Where a secret may begin: not within a word such as ``risk_live_``, but after an escaped ``\\n`` or ``%3D``."""

SECRET = rf"(?i){BOUNDARY}(?:{PREFIX}|{LEGACY_VAULT_TOKEN})"
"""Finds the beginning of a secret in any text, in Python and in PostgreSQL."""

_SECRET = re.compile(SECRET, re.ASCII)  # without ASCII, Python would take the long s and the Kelvin sign for s and k
_STRIPE_KEY = re.compile(rf"{BOUNDARY}(?:{STRIPE_PREFIX})", re.ASCII | re.IGNORECASE)


def contains_secret(text: str) -> bool:
    """Whether any part of the text looks like a key, a signing secret or a token, whole or truncated."""
    return _SECRET.search(text) is not None


def contains_stripe_key(text: str) -> bool:
    """Whether any part of the text looks like a key or a signing secret of Stripe, whole or truncated."""
    return _STRIPE_KEY.search(text) is not None
