"""Refuses keys and card numbers in a request, before anything is stored or sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from routing.errors import CardNotAllowed, KeyNotAllowed
from stripe_billing_router.secret_patterns import contains_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGITS = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){13,18}(?![0-9A-Za-z])")

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
    for text in _texts(value):
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
    numbers = (re.sub("[ -]", "", found[0]) for found in _DIGITS.finditer(text))
    return any(_NETWORKS.fullmatch(number) and _passes_luhn(number) for number in numbers)


def _passes_luhn(number: str) -> bool:
    """Return whether the last digit checks the others, ISO/IEC 7812-1."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(sum(divmod(value, 10)) for value in doubled) % 10 == 0


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, each in value.items():
                yield from _texts(name)
                yield from _texts(each)
        case list() | tuple():
            for each in value:
                yield from _texts(each)
