"""Which words are Stripe keys: those that could be used, never a placeholder."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from billing_guard.rules import LIVE_KEY, PUBLISHABLE_KEY, TEST_KEY, WEBHOOK_SECRET, Detection, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_BODY_LENGTH = 16
"""Characters after the prefix. Stripe's shortest keys have 24; anything shorter than this is truncated."""

_KEY = re.compile(
    rf"""
    (?: (?<![A-Za-z0-9]) | (?<=\\[nrt]) | (?<=%[0-9A-Fa-f]{{2}}) )
    (?P<prefix> [sr]k_(?:live|test)_ | sk_org_(?:(?:live|test)_)? | pk_(?:live|test)_ | whsec_ )
    (?P<body> [A-Za-z0-9]{{{MIN_BODY_LENGTH},255}} )
    (?! \w | … | \.\. | [*•-] | \$?\{{ )   # truncated, masked or a template
    """,
    re.VERBOSE,
)

_BASE64_KEY = re.compile(r"(?<![A-Za-z0-9+/_-])(?:c2tf|cmtf|cGtf|d2hzZWNf)[A-Za-z0-9+/]{20,360}={0,2}")
"""Base64 of text that begins with a prefix, as in a Kubernetes Secret or a Basic Authorization header."""

_NAMED_FOR_OTHER_SERVICE = re.compile(r"""(?:clerk|paystack|svix)\w*["']?\s*[:=]\s*["']?$""", re.IGNORECASE)
_OTHER_WEBHOOK_SERVICE = re.compile(r"svix|standard-?webhooks|clerk", re.IGNORECASE)
_PAYSTACK_BODY = re.compile(r"[0-9a-f]{40}")
_NAME_LENGTH = 80
"""Characters before a key in which its variable or field is named."""

_PLACEHOLDER_WORDS = re.compile(
    "your|here|goes|fake|dummy|mock|test|live|demo|sample|example|placeholder|change|replace|insert|redacted|secret|"
    "publishable|restricted|webhook|signing|stripe|token|value|string|invalid|valid|public|private|actual|real|this|"
    "some|with|from|must|only|none|wrong|default|random|account|production|staging|local|customer|payment|"
    "key|not|put|api|foo|bar|baz|the|and|for"
)
_DIGITS, _LETTERS = "1234567890", "abcdefghijklmnopqrstuvwxyz"
_SEQUENCES = (_DIGITS * 2, "0123456789" * 2, _LETTERS, "qwertyuiop", "asdfghjkl", "zxcvbnm")
_TYPED_TRIPLES = frozenset(
    sequence[start : start + 3]
    for forwards in _SEQUENCES
    for sequence in (forwards, forwards[::-1])
    for start in range(len(sequence) - 2)
) | {character * 3 for character in _DIGITS + _LETTERS}
_WORDS = re.compile(r"[a-z]*(?:[A-Z][a-z]+)*[0-9]*|[A-Z]+[0-9]*")

_MIN_ENTROPY = 2.75
"""Bits per character. 24 random letters and digits have about 4.3, 24 hexadecimal digits 3.4, filler text less."""
_MIN_RANDOM_CHARACTERS = 10
"""Characters that belong to no placeholder word and no sequence. A random key of 24 or more loses only a few."""


def find(text: str) -> Iterator[Detection]:
    """Yield the keys in any text, also those in base64."""
    for key in _KEY.finditer(text):
        if rule := _choose_rule(key, text):
            yield Detection(rule, key.start(), _mask(key))
    for encoded in _BASE64_KEY.finditer(text):
        if decoded := _find_in_base64(encoded[0]):
            yield Detection(decoded.rule, encoded.start(), f"The base64 of {decoded.subject}")


def looks_random(body: str) -> bool:
    """Whether nobody typed this: it is neither words nor a keyboard sequence, and its characters vary."""
    if _WORDS.fullmatch(body) or _entropy(body) < _MIN_ENTROPY:
        return False
    letters = "".join(filter(str.isalpha, body))
    digits = "".join(filter(str.isdigit, body))
    if _count_random(body) < _MIN_RANDOM_CHARACTERS:
        return False
    return _count_random(letters) + _count_random(digits) >= _MIN_RANDOM_CHARACTERS


def _choose_rule(key: re.Match[str], text: str) -> Rule | None:
    """Return the rule that the key breaks, or None for a placeholder or a key of another service."""
    prefix, body = key["prefix"], key["body"]
    name = text[max(0, key.start() - _NAME_LENGTH) : key.start()]
    if _NAMED_FOR_OTHER_SERVICE.search(name) or not looks_random(body):
        return None
    if prefix == "whsec_":
        return None if _is_from_other_webhook_service(key, text) else WEBHOOK_SECRET
    if _PAYSTACK_BODY.fullmatch(body):
        return None
    if prefix.startswith("pk_"):
        return None if _is_from_clerk(body) else PUBLISHABLE_KEY
    return TEST_KEY if prefix.endswith("test_") else LIVE_KEY


def _is_from_other_webhook_service(key: re.Match[str], text: str) -> bool:
    """Whether it signs webhooks of Svix or of another service that follows Standard Webhooks; both use base64."""
    is_base64 = text[key.end() : key.end() + 1] in {"+", "/", "="}
    return is_base64 or ("stripe" not in text.lower() and _OTHER_WEBHOOK_SERVICE.search(text) is not None)


def _is_from_clerk(body: str) -> bool:
    """Whether it is a publishable key of Clerk, which is the base64 of a host name and a dollar sign."""
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4)).endswith(b"$")
    except binascii.Error:
        return False


def _mask(key: re.Match[str]) -> str:
    """Return the prefix and the last four characters, which is how the Stripe Dashboard shows a key."""
    return f"{key['prefix']}…{key['body'][-4:]}"


def _find_in_base64(encoded: str) -> Detection | None:
    unpadded = encoded.rstrip("=")
    try:
        text = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    detection = next(find(text), None)
    return detection if detection is not None and detection.offset == 0 else None


def _entropy(text: str) -> float:
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def _count_random(text: str) -> int:
    """Count the characters that belong to no placeholder word and to no three typed in sequence."""
    text = _PLACEHOLDER_WORDS.sub(" ", text.lower())
    in_sequence = {
        index
        for start in range(len(text) - 2)
        if text[start : start + 3] in _TYPED_TRIPLES
        for index in range(start, start + 3)
    }
    return sum(not character.isspace() for character in text) - len(in_sequence)
