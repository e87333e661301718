"""What an address is to which a person's browser is sent: parsed, for what only looks like one leads elsewhere."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from stripe_billing_router.errors import InvalidRequest

MAX_LENGTH = 2048

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]|\\")
"""Spaces, control characters, other scripts and backslashes, which browsers and servers read differently."""


def check_web_address(name: str, value: object) -> str:
    """Return an https address, or an http one of this machine; raise ``InvalidRequest`` for anything else."""
    if not isinstance(value, str):
        raise InvalidRequest(f"The {name} must be a string.")
    if not value or len(value) > MAX_LENGTH:
        raise InvalidRequest(f"The {name} must be an address of 1 to {MAX_LENGTH} characters.")
    if _NOT_PRINTABLE.search(value):
        raise InvalidRequest(
            f"The {name} contains a space, a backslash or a character that an address writes with percent signs. "
            "Write it as the browser shows it in full."
        )
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise InvalidRequest(f"The {name} is not an address. Pass one such as https://example.com/thanks.") from None
    if not host or parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            f"The {name} must name a host, without a user. Pass one such as https://example.com/thanks."
        )
    if parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK):
        return value
    raise InvalidRequest(f"The {name} must begin with https://; http:// is for addresses of this machine alone.")
