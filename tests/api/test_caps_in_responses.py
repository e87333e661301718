"""The caps in responses: which are on the payment, and what is left of each."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from routing import postgres
from routing.access import tokens
from routing.access.models import Scope
from routing.caps.models import Cap, CapUsage
from routing.caps.remaining import remaining_for
from routing.payments.ledger.models import Payment
from routing.payments.settlement.recovery import settle_open
from routing.registry.models import Bot, Category, Domain, Route

BOT = "finance:finance_router_bot"


@pytest.fixture
def call(bot) -> Any:
    client = Client(headers={"Authorization": f"Bearer {tokens.issue('test', ['*'], Scope.values)}"})

    def send(path: str, key: str = "order-1", **fields: Any) -> Any:
        headers = {"Idempotency-Key": key}
        return client.post(f"/api/v1{path}", {"bot": BOT, **fields}, content_type="application/json", headers=headers)

    send.get = client.get  # type: ignore[attr-defined]
    return send


def cap(limit: int, measure: str = "gross", per: str = "day", currency: str = "usd", **on: Any) -> None:
    Cap.objects.create(limit=limit, measure=measure, per=per, currency="" if measure == "count" else currency, **on)


def left(response: Any) -> list[str]:
    return [cap["left"] for cap in response.json()["caps"]]


def test_a_charge_without_a_cap_has_none(call, stripe):
    assert call("/charges", amount="10").json()["caps"] == []


def test_a_charge_says_what_is_left_of_each_cap_on_it(call, stripe, bot):
    cap(500_00, per="charge", bot=bot)
    cap(100_00, per="day", category=bot.category)
    cap(300_00, per="month", domain=bot.domain)
    cap(7, measure="count", per="day")

    response = call("/charges", amount="30.50")

    day, month = (CapUsage.objects.get(cap__per=per, cap__measure="gross").since for per in ("day", "month"))
    assert response.status_code == 201
    assert response.json()["caps"] == [
        {
            "measure": "gross",
            "per": "charge",
            "scope": "bot stripe:finance:finance_router_bot",
            "since": None,
            "limit": "500.00 USD",
            "left": "500.00 USD",
        },
        {
            "measure": "gross",
            "per": "day",
            "scope": "category finance",
            "since": f"{day}",
            "limit": "100.00 USD",
            "left": "69.50 USD",
        },
        {
            "measure": "gross",
            "per": "month",
            "scope": "domain stripe",
            "since": f"{month:%Y-%m}-01",
            "limit": "300.00 USD",
            "left": "269.50 USD",
        },
        {"measure": "count", "per": "day", "scope": "everywhere", "since": f"{day}", "limit": "7", "left": "6"},
    ]


def test_an_exceeded_cap_is_represented_the_same_way(call, stripe):
    cap(10_00)
    [cap_left] = call("/charges", amount="10").json()["caps"]

    assert call("/charges", "order-2", amount="1").json()["cap"] == cap_left


def test_caps_on_something_else_are_not_shown(call, stripe, bot):
    sales = Category.objects.create(slug="sales")
    cap(500, domain=Domain.objects.create(slug="other"))
    cap(500, category=sales)
    cap(500, bot=Bot.objects.create(domain=bot.domain, category=sales, name="finance_router_bot"))
    cap(500, currency="eur")
    cap(500, measure="refunds")

    assert call("/charges", amount="10").json()["caps"] == []
    assert left(call("/charges", "order-2", amount="1", overrides={"region": "eu"})) == ["4.00 EUR"]


def test_what_was_used_yesterday_is_not_counted_today(call, stripe):
    cap(10_00)
    call("/charges", amount="9")
    CapUsage.objects.update(since="2020-01-01")

    assert left(call("/charges", "order-2", amount="1")) == ["9.00 USD"]


def test_a_limit_that_was_lowered_below_what_is_used_leaves_nothing(call, stripe):
    cap(10_00)
    call("/charges", amount="9")
    Cap.objects.update(limit=500)

    assert left(call("/charges", amount="9")) == ["0.00 USD"]


def test_a_decline_releases_its_share_and_its_problem_says_so(call, stripe):
    cap(10_00)
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")

    problem = call("/charges", amount="8")

    assert problem.status_code == 402
    assert [cap["left"] for cap in problem.json()["payment"]["caps"]] == ["10.00 USD"]


def test_an_open_outcome_reserves_its_share_until_it_is_settled(call, stripe):
    cap(10_00)
    stripe.control.fault("reset_after", path="/v1/payment_intents")

    response = call("/charges", amount="8")
    payment = Payment.objects.get()
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()
    later = call("/charges", amount="8")

    assert (response.status_code, left(response)) == (202, ["2.00 USD"])
    assert (later.status_code, left(later)) == (201, ["2.00 USD"])
    assert left(call.get(f"/api/v1/charges/{payment.id}")) == ["2.00 USD"]


def test_a_replay_says_what_is_left_now(call, stripe):
    cap(10_00)

    first = call("/charges", amount="3")
    call("/charges", "order-2", amount="4")
    again = call("/charges", amount="3")

    assert (left(first), left(again)) == (["7.00 USD"], ["3.00 USD"])
    assert again["Idempotent-Replayed"] == "true"


def test_a_refund_says_what_is_left_of_the_caps_on_refunds(call, stripe):
    cap(100_00)
    cap(5_00, measure="refunds", per="month")
    charged = call("/charges", amount="30").json()

    response = call("/refunds", "refund-1", payment=charged["id"], amount="2")

    assert response.status_code == 201
    assert left(response) == ["3.00 USD"]
    assert left(call("/charges", amount="30")) == ["70.00 USD"]  # a refund is not room for more


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/subscriptions", {}), ("/checkout-sessions", {"success_url": "https://example.com/s", "amount": "25"})],
)
def test_a_subscription_and_a_checkout_session_say_it_too(call, stripe, path, fields):
    stripe.control.seed_price(
        stripe.account,
        "price_monthly",
        product="prod_finance_router",
        unit_amount=2500,
        currency="usd",
        interval="month",
    )
    Route.objects.update(price_id="price_monthly")
    cap(100_00)

    response = call(path, **fields)

    assert response.status_code == 201
    assert left(response) == ["75.00 USD"]
    assert "caps" not in response.json()["payment"]


def test_a_new_customer_has_no_caps(call, stripe):
    cap(10_00)

    assert "caps" not in call("/customers").json()


def test_a_list_of_payments_has_no_caps(call, stripe):
    cap(10_00)
    call("/charges", amount="3")

    [listed] = call.get("/api/v1/charges").json()["results"]

    assert "caps" not in listed


def test_a_charge_succeeds_although_its_caps_cannot_be_read(call, stripe, caplog):
    cap(10_00)
    call("/charges", amount="3")
    with connection.cursor() as database:
        database.execute("ALTER TABLE routing_cap RENAME TO away")

    try:
        response = call("/charges", amount="3")
    finally:
        with connection.cursor() as database:
            database.execute("ALTER TABLE away RENAME TO routing_cap")

    assert (response.status_code, response.json()["status"], response.json()["caps"]) == (201, "succeeded", None)
    assert "could not be read" in caplog.text


def test_a_database_that_is_away_says_nothing_of_caps_and_raises_nothing(bot, monkeypatch, caplog):
    postgres.close_connections()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    monkeypatch.setattr(postgres, "_WAIT_SECONDS", 0.2)

    left = remaining_for(uuid4())

    postgres.close_connections()
    assert left is None
    assert "could not be read" in caplog.text
