from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.errors import InvalidAmount, InvalidRequest
from routing.money import CURRENCIES, MAX_MINOR, parse_currency, to_minor, to_text


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", "usd", 1999),
        ("10.0", "usd", 1000),
        ("10", "usd", 1000),
        (10, "usd", 1000),
        (Decimal("12.5"), "usd", 1250),
        ("0.01", "usd", 1),
        ("19.990", "usd", 1999),
        ("500", "jpy", 500),
        ("500.00", "jpy", 500),
        ("1.23", "kwd", 1230),
        ("1.230", "kwd", 1230),
        ("1500", "isk", 150000),
        ("7", "ugx", 700),
        ("12", "huf", 1200),
    ],
)
def test_an_exact_amount_is_what_stripe_counts(amount, currency, minor):
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    "amount",
    [
        "1.005",
        "NaN",
        "Infinity",
        "1e400",
        "1e2",
        "１２",
        "0",
        "0.00",
        "-1",
        "+1",
        "",
        " 1",
        "1 ",
        "1,00",
        "1_000",
        "0x10",
        ".5",
        "5.",
        "1\n",
        True,
        False,
        None,
        10.0,
        [],
        {},
        "9" * 13,
        Decimal("1E+400"),
        Decimal("NaN"),
    ],
)
def test_what_is_not_an_exact_positive_amount_is_refused(amount):
    with pytest.raises(InvalidAmount):
        to_minor(amount, "usd")


@pytest.mark.parametrize("amount", ["0", "99999999999"])
def test_an_amount_out_of_range_is_refused_with_the_range(amount):
    with pytest.raises(InvalidAmount, match=r"above 0, up to 9999999999\.00"):
        to_minor(amount, "usd")


@pytest.mark.parametrize(("amount", "currency"), [("500.5", "jpy"), ("1.234", "kwd"), ("10.50", "isk"), ("0.1", "ugx")])
def test_decimals_that_the_currency_cannot_charge_are_refused(amount, currency):
    with pytest.raises(InvalidAmount, match="not exact"):
        to_minor(amount, currency)


@given(st.integers(1, MAX_MINOR // 1000), st.sampled_from(sorted(CURRENCIES)))
def test_an_amount_reads_back_as_it_was_written(units, currency):
    minor = to_minor(units, currency)

    assert to_minor(to_text(minor, currency), currency) == minor
    assert Decimal(to_text(minor, currency)) == units


@pytest.mark.parametrize("currency", ["us", "usdx", "xyz", "", None, 7, "ＵＳＤ"])
def test_a_currency_that_stripe_does_not_support_is_refused(currency):
    with pytest.raises(InvalidRequest):
        parse_currency(currency)


def test_a_currency_is_read_in_either_case():
    assert parse_currency("EUR") == "eur"
