"""The caps in the API's responses: those that limit the payment, and what is left of each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from routing import postgres
from routing.caps.models import Cap, CapUsage
from routing.caps.remaining import remaining_for
from routing.payments.ledger.models import Payment
from routing.registry.models import Bot, Category, Domain
from routing.timestamps import to_iso
from tests.bot_tokens import token_for_everything
from tests.conftest import BOT
from tests.database_roles import as_administrator
from tests.payments.caps import add_cap
from tests.payments.ledger import make_older, recover, without_triggers
from tests.payments.stripe_account import use_card, use_monthly_price


class API:
    """The HTTP API, with a token for every bot and scope."""

    def __init__(self) -> None:
        token = token_for_everything()
        self._client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/v1{path}")

    def post(self, path: str, key: str = "order-1", **fields: Any) -> Any:
        body, headers = {"bot": BOT, **fields}, {"Idempotency-Key": key}
        return self._client.post(f"/api/v1{path}", body, content_type="application/json", headers=headers)


@pytest.fixture
def api(bot) -> API:
    return API()


def amounts_left(response: Any) -> list[str]:
    return [cap["left"] for cap in response.json()["caps"]]


def test_a_charge_without_a_cap_has_none(api, stripe):
    assert api.post("/charges", amount="10").json()["caps"] == []


def test_a_charge_shows_what_is_left_of_each_cap_that_limits_it(api, stripe, bot):
    add_cap(500_00, per="charge", bot=bot)
    add_cap(100_00, per="day", category=bot.category)
    add_cap(300_00, per="month", domain=bot.domain)
    add_cap(7, measure="count", per="day")

    response = api.post("/charges", amount="30.50")

    day, month = (CapUsage.objects.get(cap__per=per, cap__measure="gross").since for per in ("day", "month"))
    assert response.status_code == 201
    assert response.json()["caps"] == [
        {
            "measure": "gross",
            "per": "charge",
            "scope": "bot stripe:finance:finance_router_bot",
            "since": None,
            "limit": "500.00 USD",
            "used": "0.00 USD",
            "reserved": "0.00 USD",
            "left": "500.00 USD",
        },
        {
            "measure": "gross",
            "per": "day",
            "scope": "category finance",
            "since": to_iso(day),
            "limit": "100.00 USD",
            "used": "30.50 USD",
            "reserved": "0.00 USD",
            "left": "69.50 USD",
        },
        {
            "measure": "gross",
            "per": "month",
            "scope": "domain stripe",
            "since": to_iso(month),
            "limit": "300.00 USD",
            "used": "30.50 USD",
            "reserved": "0.00 USD",
            "left": "269.50 USD",
        },
        {
            "measure": "count",
            "per": "day",
            "scope": "everywhere",
            "since": to_iso(day),
            "limit": "7",
            "used": "1",
            "reserved": "0",
            "left": "6",
        },
    ]


def test_a_refusal_shows_the_cap_in_the_same_form(api, stripe):
    add_cap(10_00)
    [shown] = api.post("/charges", amount="10").json()["caps"]

    assert api.post("/charges", "order-2", amount="1").json()["cap"] == shown


def test_caps_of_another_scope_are_not_shown(api, stripe, bot):
    sales = Category.objects.create(slug="sales")
    add_cap(500, domain=Domain.objects.create(slug="other"))
    add_cap(500, category=sales)
    add_cap(500, bot=Bot.objects.create(domain=bot.domain, category=sales, name="finance_router_bot"))
    add_cap(500, currency="eur")
    add_cap(500, measure="refunds")

    assert api.post("/charges", amount="10").json()["caps"] == []
    assert amounts_left(api.post("/charges", "order-2", amount="1", overrides={"region": "eu"})) == ["4.00 EUR"]


def test_usage_of_yesterday_is_not_counted_today(api, stripe):
    add_cap(10_00)
    api.post("/charges", amount="9")
    make_older(timedelta(days=1))
    with without_triggers():
        CapUsage.objects.update(since="2020-01-01T00:00Z")

    assert amounts_left(api.post("/charges", "order-2", amount="1")) == ["9.00 USD"]


def test_nothing_is_left_of_a_limit_that_was_lowered_below_its_usage(api, stripe):
    add_cap(10_00)
    api.post("/charges", amount="9")
    Cap.objects.update(limit=500)

    assert amounts_left(api.post("/charges", amount="9")) == ["0.00 USD"]


def test_a_decline_releases_its_amount_and_its_problem_shows_that(api, stripe):
    add_cap(10_00)
    use_card(stripe, "declined")

    problem = api.post("/charges", amount="8")

    assert problem.status_code == 402
    assert [cap["left"] for cap in problem.json()["payment"]["caps"]] == ["10.00 USD"]


def test_an_open_outcome_reserves_its_amount_until_it_is_settled(api, stripe):
    add_cap(10_00)
    stripe.control.fault("reset_after", path="/v1/payment_intents")

    unknown = api.post("/charges", amount="8")
    payment = Payment.objects.get()
    recover()
    replay = api.post("/charges", amount="8")

    assert (unknown.status_code, amounts_left(unknown)) == (202, ["2.00 USD"])
    assert (replay.status_code, amounts_left(replay)) == (201, ["2.00 USD"])
    assert amounts_left(api.get(f"/charges/{payment.id}")) == ["2.00 USD"]


def test_a_replay_shows_what_is_left_now(api, stripe):
    add_cap(10_00)

    first = api.post("/charges", amount="3")
    api.post("/charges", "order-2", amount="4")
    replay = api.post("/charges", amount="3")

    assert (amounts_left(first), amounts_left(replay)) == (["7.00 USD"], ["3.00 USD"])
    assert replay["Idempotent-Replayed"] == "true"


def test_a_refund_shows_what_is_left_of_the_caps_on_refunds(api, stripe):
    add_cap(100_00)
    add_cap(5_00, measure="refunds", per="month")
    charged = api.post("/charges", amount="30").json()

    response = api.post("/refunds", "refund-1", payment=charged["id"], amount="2")

    assert response.status_code == 201
    assert amounts_left(response) == ["3.00 USD"]
    assert amounts_left(api.post("/charges", amount="30")) == [
        "70.00 USD"
    ]  # a refund does not add to what is left for charges


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/subscriptions", {}), ("/checkout-sessions", {"success_url": "https://example.com/s", "amount": "15"})],
)
def test_a_subscription_and_a_checkout_session_show_it_too(api, stripe, path, fields):
    use_monthly_price(stripe)
    add_cap(100_00)

    response = api.post(path, **fields)

    assert response.status_code == 201
    assert amounts_left(response) == ["85.00 USD"]
    assert "caps" not in response.json()["payment"]


def test_a_new_customer_has_no_caps(api, stripe):
    add_cap(10_00)

    assert "caps" not in api.post("/customers").json()


def test_a_list_of_payments_has_no_caps(api, stripe):
    add_cap(10_00)
    api.post("/charges", amount="3")

    [listed] = api.get("/charges").json()["results"]

    assert "caps" not in listed


def test_a_charge_is_returned_although_its_caps_cannot_be_read(api, stripe, caplog):
    add_cap(10_00)
    api.post("/charges", amount="3")
    with as_administrator(), connection.cursor() as database:
        database.execute("ALTER TABLE routing_cap RENAME TO away")

    try:
        response = api.post("/charges", amount="3")
    finally:
        with as_administrator(), connection.cursor() as database:
            database.execute("ALTER TABLE away RENAME TO routing_cap")

    assert (response.status_code, response.json()["status"], response.json()["caps"]) == (201, "succeeded", None)
    assert "could not be read" in caplog.text


def test_no_caps_are_returned_and_no_error_is_raised_while_the_database_is_unreachable(bot, monkeypatch, caplog):
    postgres.close_connections()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    monkeypatch.setattr(postgres, "_WAIT_SECONDS", 0.2)

    remaining = remaining_for(uuid4())

    postgres.close_connections()
    assert remaining is None
    assert "could not be read" in caplog.text
