"""Keys and card numbers are refused in every field of every call, before anything is stored or sent."""

from __future__ import annotations

import secrets

import pytest

from routing.api.sensitive import contains_card_number
from routing.payments.ledger.models import Payment
from tests.api.conftest import BOT, assert_problem

KEYS = ["sk_live_", "rk_live_", "whsec_", "brt_"]
CARD = "4242424242424242"


def planted(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


FIELDS = [
    lambda text: {"description": f"for {text}"},
    lambda text: {"metadata": {"note": text}},
    lambda text: {"metadata": {text[:40]: "note"}},
    lambda text: {"customer_id": text},
    lambda text: {"overrides": {"business": text}},
    lambda text: {text: "an unknown field"},
]


@pytest.mark.parametrize("field", FIELDS, ids=["description", "metadata", "a name", "customer", "override", "unknown"])
@pytest.mark.parametrize("prefix", KEYS)
def test_a_key_is_refused_in_any_field(caller, stripe, field, prefix):
    key = planted(prefix)

    response = caller.charge(amount="10", **field(key))

    assert_problem(response, 400, "key_not_allowed")
    assert key not in response.content.decode()
    assert stripe.requests() == []
    assert not Payment.objects.exists()


@pytest.mark.parametrize("field", FIELDS[:2], ids=["description", "metadata"])
@pytest.mark.parametrize("card", [CARD, "4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005"])
def test_a_card_number_is_refused(caller, stripe, field, card):
    response = caller.charge(amount="10", **field(card))

    assert_problem(response, 400, "card_not_allowed")
    assert card not in response.content.decode()
    assert stripe.requests() == []


def test_both_are_refused_in_the_idempotency_key(caller, stripe):
    assert_problem(caller.charge(planted("sk_live_"), amount="10"), 400, "key_not_allowed")
    assert_problem(caller.charge(f"order-{CARD}", amount="10"), 400, "card_not_allowed")


def test_a_key_is_refused_as_the_idempotency_key_of_a_new_customer(caller, stripe):
    fields = {"bot": BOT, "email": "bot@example.com"}

    assert_problem(caller.send("POST", "/customers", fields, planted("sk_live_")), 400, "key_not_allowed")
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "order 1234567812345678",
        "4242424242424241",
        "20261126102030",
        "a4242424242424242",
        "invoice 5555555555554445",
        "23104023-3058-4094-a790-e76771a19b1b",
    ],
)
def test_other_numbers_are_ordinary(text):
    assert not contains_card_number(text)
