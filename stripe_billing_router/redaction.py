"""Masks the secrets in a text before anybody reads it."""

from __future__ import annotations

import re

from stripe_billing_router.secret_patterns import BOUNDARY, LEGACY_VAULT_TOKEN, PREFIX

_SECRET = re.compile(
    rf"(?P<prefix>{PREFIX}|{BOUNDARY}{LEGACY_VAULT_TOKEN})[a-z0-9_+/=-]+|(?P<scheme>\bbearer\s+)[a-z0-9_.~+/=-]{{8,}}",
    re.IGNORECASE,
)
"""Masks a key within a word too, where the registry would accept the text: a mask too many does no harm."""


def redact(text: str) -> str:
    """Return ``text`` with every key, token and signing secret masked, but for the prefix that tells its kind."""
    return _SECRET.sub(lambda found: f"{found['prefix'] or found['scheme']}***", text)
