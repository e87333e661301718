"""Refuses keys and card numbers in a request, before anything is stored or sent."""

from __future__ import annotations

import re
from typing import Any

from routing.errors import CardNotAllowed, KeyNotAllowed
from stripe_billing_router.secret_patterns import contains_secret
from stripe_billing_router.validation import every_string

_DIGITS = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){13,18}(?![0-9A-Za-z])")

_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])", re.IGNORECASE)
"""One in fifty thousand, such as an idempotency key of the client's own, begins with sixteen digits of a card."""

_NETWORKS = re.compile(
    r"""
      4 [0-9]{15} (?:[0-9]{3})?              # Visa
    | (?: 5[1-5] | 2[2-7] ) [0-9]{14}        # Mastercard
    | 3[47] [0-9]{13}                        # American Express
    | (?: 6011 | 65 [0-9]{2} ) [0-9]{12}     # Discover
    | 35 [0-9]{14}                           # JCB
    | 3[068] [0-9]{12}                       # Diners Club
    """,
    re.VERBOSE,
)
"""Lengths and first digits of the cards that Stripe takes, https://docs.stripe.com/testing#cards.

Without them one in ten order numbers would pass for a card.
"""


def refuse_sensitive(value: Any) -> None:
    """Raise ``KeyNotAllowed`` or ``CardNotAllowed`` if any text in ``value``, a name or a value, holds one."""
    for text in every_string(value):
        if contains_secret(text):
            raise KeyNotAllowed(
                "The request contains what looks like a key or a token. Take it out: the router has the keys itself. "
                "If it was a live one, roll it."
            )
        if contains_card_number(text):
            raise CardNotAllowed(
                "The request contains what looks like a card number. Take it out: customers enter cards at Stripe "
                "alone, in a checkout session."
            )


def contains_card_number(text: str) -> bool:
    """Say whether any part of the text is the number of a card, also with spaces or dashes in it."""
    numbers = (re.sub("[ -]", "", found[0]) for found in _DIGITS.finditer(_UUID.sub("UUID", text)))
    return any(_NETWORKS.fullmatch(number) and _passes_luhn(number) for number in numbers)


def _passes_luhn(number: str) -> bool:
    """Return whether the last digit checks the others, ISO/IEC 7812-1."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(sum(divmod(value, 10)) for value in doubled) % 10 == 0
