"""Exact money: an integer of minor units and a currency, as Stripe counts them.

The table follows https://docs.stripe.com/currencies. Libraries disagree with it (ISK, MGA), and some round; here an
amount that is not exact in its currency is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal

from routing.errors import InvalidAmount, InvalidRequest

_ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
_THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
_WHOLE_UNITS_TIMES_100 = frozenset(("isk", "ugx"))
"""Have no decimals, but Stripe counts them with two, which must be 00."""

_TWO_DECIMAL = frozenset(
    [
        "usd",
        "aed",
        "afn",
        "all",
        "amd",
        "ang",
        "aoa",
        "ars",
        "aud",
        "awg",
        "azn",
        "bam",
        "bbd",
        "bdt",
        "bgn",
        "bmd",
        "bnd",
        "bob",
        "brl",
        "bsd",
        "bwp",
        "byn",
        "bzd",
        "cad",
        "cdf",
        "chf",
        "cny",
        "cop",
        "crc",
        "cve",
        "czk",
        "dkk",
        "dop",
        "dzd",
        "egp",
        "etb",
        "eur",
        "fjd",
        "fkp",
        "gbp",
        "gel",
        "gip",
        "gmd",
        "gtq",
        "gyd",
        "hkd",
        "hnl",
        "htg",
        "huf",
        "idr",
        "ils",
        "inr",
        "jmd",
        "kes",
        "kgs",
        "khr",
        "kyd",
        "kzt",
        "lak",
        "lbp",
        "lkr",
        "lrd",
        "lsl",
        "mad",
        "mdl",
        "mkd",
        "mmk",
        "mnt",
        "mop",
        "mro",
        "mur",
        "mvr",
        "mwk",
        "mxn",
        "myr",
        "mzn",
        "nad",
        "ngn",
        "nio",
        "nok",
        "npr",
        "nzd",
        "pab",
        "pen",
        "pgk",
        "php",
        "pkr",
        "pln",
        "qar",
        "ron",
        "rsd",
        "rub",
        "sar",
        "sbd",
        "scr",
        "sek",
        "sgd",
        "shp",
        "sle",
        "sos",
        "srd",
        "std",
        "svc",
        "szl",
        "thb",
        "tjs",
        "top",
        "try",
        "ttd",
        "twd",
        "tzs",
        "uah",
        "uyu",
        "uzs",
        "wst",
        "xcd",
        "xcg",
        "yer",
        "zar",
        "zmw",
    ]
)

CURRENCIES = _ZERO_DECIMAL | _THREE_DECIMAL | _WHOLE_UNITS_TIMES_100 | _TWO_DECIMAL

MAX_MINOR = 999_999_999_999
"""Stripe accepts up to twelve digits, and for most currencies fewer, which it checks itself."""

_PLAIN_DECIMAL = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))?")


def parse_currency(text: object) -> str:
    """Return the lower-case ISO code; raise ``InvalidRequest`` for a currency that Stripe does not support."""
    if isinstance(text, str) and text.lower() in CURRENCIES:
        return text.lower()
    raise InvalidRequest(f"{text!r:.50} is not a currency that Stripe supports. Use a three-letter code such as 'usd'.")


def to_minor(amount: object, currency: str) -> int:
    """Return ``amount`` (``"19.99"``, ``10``, ``Decimal("1.5")``) in Stripe's units, 1999 for 19.99 USD.

    Raises ``InvalidAmount`` unless the amount is positive and exact in the currency.
    """
    if isinstance(amount, bool) or not isinstance(amount, (str, int, Decimal)):
        raise InvalidAmount('The amount must be a decimal string such as "19.99" or a JSON number.')
    match = _PLAIN_DECIMAL.fullmatch(str(amount))
    if match is None:
        raise InvalidAmount(f'{str(amount)[:50]!r} is not an amount. Use plain digits, such as "19.99" or "1500".')
    whole, fraction = match[1], (match[2] or "").rstrip("0")
    places = decimal_places(currency)
    if len(fraction) > _charged_places(currency):
        raise InvalidAmount(f"{amount} is not exact in {currency.upper()}: {_granularity(currency)}")
    minor = int(whole + fraction.ljust(places, "0")) * (100 if currency in _WHOLE_UNITS_TIMES_100 else 1)
    if not 0 < minor <= MAX_MINOR:
        most = to_text(MAX_MINOR - MAX_MINOR % 100, currency)
        raise InvalidAmount(f"{amount} {currency.upper()} cannot be charged. Use an amount above 0, up to {most}.")
    return minor


def to_text(minor: int, currency: str) -> str:
    """Return the exact decimal string in the currency's own units: 1999 USD is ``19.99``, 500 JPY is ``500``."""
    places = decimal_places(currency)
    units = minor / Decimal(100) if currency in _WHOLE_UNITS_TIMES_100 else Decimal(minor).scaleb(-places)
    return f"{units:.{places}f}"


def decimal_places(currency: str) -> int:
    """Return how many decimals the currency is written with."""
    if currency in _ZERO_DECIMAL or currency in _WHOLE_UNITS_TIMES_100:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def _charged_places(currency: str) -> int:
    """Return how many decimals Stripe charges: the third of a three-decimal currency must be 0."""
    return min(decimal_places(currency), 2)


def _granularity(currency: str) -> str:
    places = _charged_places(currency)
    if places == 0:
        return "it has no decimals. Round the amount to whole units."
    return f"Stripe charges it with at most {places} decimals. Round the amount before you send it."
