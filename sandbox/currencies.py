"""Which currencies Stripe takes and the amounts it takes in them, in the currency's minor units."""

from __future__ import annotations

from sandbox.errors import StripeError, invalid

MOST = 99_999_999

# fmt: off
_KNOWN = frozenset((
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd",
    "bif", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc",
    "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf",
    "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr",
    "kmf", "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt",
    "mop", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen",
    "pgk", "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp",
    "sle", "sos", "srd", "std", "szl", "thb", "tjs", "tnd", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "uyu",
    "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xcg", "xof", "xpf", "yer", "zar", "zmw",
))
# fmt: on
_THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_WHOLE_HUNDREDS = frozenset({"isk", "ugx"})
_USUAL_MINIMUM = 50
_MINIMUMS = {
    "aed": 200, "bgn": 100, "czk": 1500, "dkk": 250, "gbp": 30, "hkd": 400, "huf": 17500, "mxn": 1000, "myr": 200,
    "nok": 300, "pln": 200, "ron": 200, "sek": 300, "thb": 1000,
}  # fmt: skip


def check_currency(currency: str) -> None:
    if currency not in _KNOWN:
        raise invalid(f"Invalid currency: {currency}. Stripe knows it by its lowercase ISO code.", param="currency")


def minimum(currency: str) -> int:
    """Return the smallest amount that Stripe charges in ``currency``."""
    return _MINIMUMS.get(currency, _USUAL_MINIMUM)


def check_amount(amount: int, currency: str) -> None:
    """Raise Stripe's 400 unless ``amount`` can be charged in ``currency``."""
    check_currency(currency)
    if amount < 1:
        raise _wrong("This value must be greater than or equal to 1.", "parameter_invalid_integer")
    if amount < _MINIMUMS.get(currency, _USUAL_MINIMUM):
        raise _wrong(
            f"Amount must be at least {_MINIMUMS.get(currency, _USUAL_MINIMUM)} {currency}", "amount_too_small"
        )
    if amount > MOST:
        raise _wrong(f"Amount must be no more than {MOST} {currency}", "amount_too_large")
    if currency in _THREE_DECIMALS and amount % 10:
        raise _wrong(f"Invalid amount: {currency} amounts must end in 0", "parameter_invalid_integer")
    if currency in _WHOLE_HUNDREDS and amount % 100:
        raise _wrong(f"Invalid amount: {currency} amounts must end in 00", "parameter_invalid_integer")


def _wrong(message: str, code: str) -> StripeError:
    return invalid(message, param="amount", code=code)
