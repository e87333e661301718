"""Which links lead to a page on which Stripe collects a payment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing_guard.keys import looks_random
from billing_guard.rules import PAYMENT_LINK, Detection

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = r"(?P<host>(?i:(?:buy|book|donate|checkout)\.stripe\.com))\.?(?::\d{1,5})?/(?:[a-z]{1,3}/)?(?:pay/)?"
_LINK = re.compile(rf"(?<![\w.-]){_PAGE}(?:(?:cs_)?(?:live|test)_)?(?P<id>[A-Za-z0-9]{{14,255}})(?!\w|…|\.\.|\*)")
"""The id of a payment link has 14 to 24 characters, that of a checkout session more than 50."""
_BUILT_LINK = re.compile(
    rf"(?:[\"'`=]|\s)(?i:https?)://{_PAGE}(?:(?:cs_)?(?:live|test)_)?"
    r"(?:[$#]?\{|%s|\$\w|[\"'`]\s*(?:\+|\.\s*[$\w\"']|<>|\.\.))"
)


def find(text: str) -> Iterator[Detection]:
    """Yield the links in any text whose id Stripe could have issued; a placeholder is none."""
    for link in _LINK.finditer(text):
        if looks_random(link["id"]):
            yield Detection(PAYMENT_LINK, link.start(), f"{link['host']}/…{link['id'][-4:]}")


def find_built(code: str) -> Iterator[Detection]:
    """Yield the links that a program completes with an id."""
    for link in _BUILT_LINK.finditer(code):
        yield Detection(PAYMENT_LINK, link.start("host"), f"{link['host']}/…")
