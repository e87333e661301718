"""The database's function accepts the currencies that the router charges, and nothing else."""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase

import pytest
from django.db import connection

from routing.money import CURRENCIES

EVERY_CODE = ["".join(letters) for letters in product(ascii_lowercase, repeat=3)]
OTHERS = [*(code.upper() for code in CURRENCIES), "Usd", "us", "usdx", "usd ", " usd", "", "xxx", "{usd}", "usd,eur"]


def accepted(codes: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT code FROM unnest(%s::text[]) AS code WHERE routing_is_currency(code)", [codes])
        return {code for (code,) in cursor.fetchall()}


@pytest.mark.django_db
def test_the_database_accepts_the_currencies_of_the_router_and_no_other():
    assert accepted([*EVERY_CODE, *CURRENCIES, *OTHERS]) == CURRENCIES


@pytest.mark.django_db
def test_the_database_neither_accepts_nor_refuses_a_currency_that_is_null():
    with connection.cursor() as cursor:
        cursor.execute("SELECT routing_is_currency(NULL)")

        assert cursor.fetchone() == (None,)
