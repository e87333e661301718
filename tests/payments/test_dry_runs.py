"""A dry run decides what a charge would do, by the very rules of the charge, and does nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from routing.access import tokens
from routing.access.models import BotToken, Scope
from routing.caps.models import CapReservation, CapUsage
from routing.payments.ledger.models import Payment
from routing.registry.models import Override, Route
from routing.registry.pausing import pause_everything
from tests.conftest import BOT
from tests.payments.caps import add_cap

pytestmark = [pytest.mark.django_db(transaction=True)]

FULL_NAME = f"stripe:{BOT}" if BOT.count(":") == 1 else BOT


@pytest.fixture
def token(bot, stripe) -> str:
    return tokens.issue("invoicing", [FULL_NAME], Scope.values)


def send(token: str, query: str = "?dry_run=true", key: str = "", **fields: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
    return Client().post(f"/api/v1/charges{query}", {"bot": BOT, **fields}, "application/json", headers=headers)


def test_it_returns_the_payment_that_would_be_made_and_does_nothing(token, stripe):
    add_cap(5000)
    for amount in ("20", "20"):
        response = send(token, amount=amount)

    answer = response.json()
    assert response.status_code == 200
    assert (answer["amount"], answer["currency"], answer["status"], answer["dry_run"]) == (
        "20.00", "usd", "received", True,
    )  # fmt: skip
    assert answer["route"]["price_id"] == Route.objects.get(region__slug="default").price_id
    assert [(cap["limit"], cap["left"], cap["reserved"]) for cap in answer["caps"]] == [
        ("50.00 USD", "30.00 USD", "20.00 USD")
    ]
    assert not Payment.objects.exists()
    assert not CapReservation.objects.exists()
    assert not CapUsage.objects.filter(reserved__gt=0).exists()
    assert stripe.objects("payment_intents") == []
    assert stripe.objects("invoices") == []


def test_the_price_is_read_at_stripe_and_qualifiers_decide(token, stripe):
    stripe.control.seed_price(stripe.account, "price_gold", product="prod_finance_router", unit_amount=7777)
    bot = Route.objects.get(region__slug="default").bot
    Override.objects.create(bot=bot, key="tier", value="gold", price_id="price_gold")

    answer = send(token, overrides={"tier": "gold"}, quantity=2).json()

    assert (answer["amount"], answer["route"]["price_id"], answer["kind"]) == ("155.54", "price_gold", "invoice")
    assert stripe.objects("invoices") == []


def test_it_raises_what_would_stop_the_charge(token, stripe):
    add_cap(1000)
    assert send(token, amount="10.01").json()["code"] == "cap_exceeded"
    assert send(token, amount="10", overrides={"tier": "unknown"}).json()["code"] == "override_not_found"
    assert send(token, amount="0.001").json()["code"] == "invalid_amount"
    BotToken.objects.update(scopes=["read"])
    assert send(token, amount="1").json()["code"] == "not_permitted"
    BotToken.objects.update(scopes=Scope.values)
    pause_everything(by="finance")
    assert send(token, amount="1").json()["code"] == "paused"
    assert not Payment.objects.exists()


def test_of_a_key_that_was_used_it_says_what_was_done(token, stripe):
    charged = send(token, "", "order-1", amount="10").json()

    replay = send(token, key="order-1", amount="10")
    other = send(token, key="order-1", amount="11").json()

    assert (replay.json()["id"], replay["Idempotent-Replayed"]) == (charged["id"], "true")
    assert replay.json()["status"] == "succeeded"
    assert other["code"] == "idempotency_conflict"


@pytest.mark.parametrize("query", ["?dry_run=yes", "?dry_run=", "?dry_run=true&dry_run=true", "?dryrun=true"])
def test_what_is_no_dry_run_for_sure_charges_nothing(token, stripe, query):
    response = send(token, query, "order-1", amount="10")

    assert response.status_code == 400
    assert not Payment.objects.exists()


def test_after_a_dry_run_the_same_key_charges(token, stripe):
    assert send(token, key="order-1", amount="10").status_code == 200

    assert send(token, "", "order-1", amount="10").status_code == 201
