"""Which words are keys of Stripe: those that could be used, never a placeholder for one."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from billing_guard.rules import LIVE_KEY, PUBLISHABLE_KEY, TEST_KEY, WEBHOOK_SECRET, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST = 16
"""Characters after the prefix. Stripe's shortest keys have 24; what is shorter than this was cut off."""

_KEY = re.compile(
    rf"""
    (?: (?<![A-Za-z0-9]) | (?<=\\[nrt]) | (?<=%[0-9A-Fa-f]{{2}}) )
    (?P<prefix> [sr]k_(?:live|test)_ | sk_org_(?:(?:live|test)_)? | pk_(?:live|test)_ | whsec_ )
    (?P<body> [A-Za-z0-9]{{{SHORTEST},255}} )
    (?! \w | … | \.\. | [*•-] | \$?\{{ )   # more follows: it was cut off, masked, or is put together
    """,
    re.VERBOSE,
)

_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])(?:c2tf|cmtf|cGtf|d2hzZWNf)[A-Za-z0-9+/]{20,360}={0,2}")
"""Base64 of what begins with a prefix: a Kubernetes Secret, or the header of HTTP's basic authentication."""

_OF_ANOTHER_SERVICE = re.compile(r"""(?:clerk|paystack|svix)\w*["']?\s*[:=]\s*["']?$""", re.IGNORECASE)
_OTHER_SENDER = re.compile(r"svix|standard-?webhooks|clerk", re.IGNORECASE)
_PAYSTACK = re.compile(r"[0-9a-f]{40}")
_NAME_BEFORE = 80
"""Characters that are read before a key for the name that it is given."""

_PLACEHOLDER_WORDS = re.compile(
    "your|here|goes|fake|dummy|mock|test|live|demo|sample|example|placeholder|change|replace|insert|redacted|secret|"
    "publishable|restricted|webhook|signing|stripe|token|value|string|invalid|valid|public|private|actual|real|this|"
    "some|with|from|must|only|none|wrong|default|random|account|production|staging|local|customer|payment|"
    "key|not|put|api|foo|bar|baz|the|and|for"
)
_DIGITS, _LETTERS = "1234567890", "abcdefghijklmnopqrstuvwxyz"
_ROWS = (_DIGITS * 2, "0123456789" * 2, _LETTERS, "qwertyuiop", "asdfghjkl", "zxcvbnm")
_TYPED_IN_A_ROW = frozenset(
    row[start : start + 3] for written in _ROWS for row in (written, written[::-1]) for start in range(len(written) - 2)
) | {character * 3 for character in _DIGITS + _LETTERS}
_IN_WORDS = re.compile(r"[a-z]*(?:[A-Z][a-z]+)*[0-9]*|[A-Z]+[0-9]*")

_LEAST_ENTROPY = 2.75
"""Bits a character. 24 random letters and digits have about 4.3, as many hexadecimal digits 3.4, a filler less."""
_LEAST_REMAINDER = 10
"""Characters that are neither a word nor typed in a row. A random key loses a few of its 24 or more, never so many."""


def find(text: str) -> Iterator[Hit]:
    for found in _KEY.finditer(text):
        if rule := _rule_of(found, text):
            yield Hit(rule, found.start(), masked(found))
    for found in _ENCODED.finditer(text):
        if inner := _decoded(found[0]):
            yield Hit(inner.rule, found.start(), f"The base64 of {inner.what}")


def masked(key: re.Match[str]) -> str:
    """Write how a key begins and its last four characters, which is how Stripe's own pages show it."""
    return f"{key['prefix']}…{key['body'][-4:]}"


def _rule_of(key: re.Match[str], text: str) -> Rule | None:
    prefix, body = key["prefix"], key["body"]
    name = text[max(0, key.start() - _NAME_BEFORE) : key.start()]
    if _OF_ANOTHER_SERVICE.search(name) or not looks_random(body):
        return None
    if prefix == "whsec_":
        return None if _is_of_another_sender(key, text) else WEBHOOK_SECRET
    if _PAYSTACK.fullmatch(body):
        return None
    if prefix.startswith("pk_"):
        return None if _is_clerks(body) else PUBLISHABLE_KEY
    return TEST_KEY if prefix.endswith("test_") else LIVE_KEY


def _is_of_another_sender(key: re.Match[str], text: str) -> bool:
    """Whether it signs the webhooks of Svix, or of those who send as Svix does, which issue base64."""
    is_base64 = text[key.end() : key.end() + 1] in {"+", "/", "="}
    return is_base64 or ("stripe" not in text.lower() and _OTHER_SENDER.search(text) is not None)


def looks_random(body: str) -> bool:
    """Whether nobody typed this: it is neither words nor a row of the keyboard, and its characters vary."""
    if _IN_WORDS.fullmatch(body) or _entropy(body) < _LEAST_ENTROPY:
        return False
    letters = "".join(filter(str.isalpha, body))
    digits = "".join(filter(str.isdigit, body))
    return _remainder(body) >= _LEAST_REMAINDER and _remainder(letters) + _remainder(digits) >= _LEAST_REMAINDER


def _entropy(text: str) -> float:
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def _remainder(text: str) -> int:
    """Count the characters that belong to no placeholder's word and to no three that are typed in a row."""
    text = _PLACEHOLDER_WORDS.sub(" ", text.lower())
    in_a_row = {
        place
        for start in range(len(text) - 2)
        if text[start : start + 3] in _TYPED_IN_A_ROW
        for place in range(start, start + 3)
    }
    return sum(not character.isspace() for character in text) - len(in_a_row)


def _is_clerks(body: str) -> bool:
    """Whether it is a publishable key of Clerk, which is the base64 of a host name and a dollar sign."""
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4)).endswith(b"$")
    except binascii.Error:
        return False


def _decoded(encoded: str) -> Hit | None:
    try:
        inner = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    hit = next(find(inner), None)
    return hit if hit is not None and hit.offset == 0 else None
