"""The calls that bots make, word for word, through the client, the running server and the sandbox Stripe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import stripe_billing_router
from routing import errors
from routing.caps.models import Cap
from routing.payments.ledger.models import Payment
from routing.payments.settlement.recovery import settle_open
from routing.registry.models import Bot, Domain, Route
from stripe_billing_router import (
    ROUTING_TABLE,
    AsyncClient,
    charge,
    create_checkout_session,
    create_customer,
    create_subscription,
    get_balance,
    refund,
    register_override,
    register_route,
    resolve,
    whoami,
)
from tests.bot_tokens import token_for_everything
from tests.payments.stripe_account import use_card

if TYPE_CHECKING:
    from routing.registry.models import Bot as BotRow

BOT = "finance:finance_router_bot"


@pytest.fixture(autouse=True)
def router(bot: BotRow, stripe, live_server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure the client as a bot's environment does."""
    monkeypatch.setenv("BILLING_ROUTER_URL", live_server.url)
    monkeypatch.setenv("BILLING_ROUTER_TOKEN", token_for_everything())


def test_a_charge_of_an_amount(stripe):
    payment = charge("finance:finance_router_bot", amount=10.0)

    assert (payment["status"], payment["amount"], payment["currency"]) == ("succeeded", "10.00", "usd")
    assert [intent["amount"] for intent in stripe.objects("payment_intents")] == [1000]


def test_a_charge_of_a_positional_amount(stripe):
    assert charge("finance:finance_router_bot", 12.5)["amount"] == "12.50"


def test_a_dry_run_charges_nothing(stripe):
    payment = charge("finance:finance_router_bot", "12.50", dry_run=True)

    assert (payment["status"], payment["amount"], payment["dry_run"]) == ("received", "12.50", True)
    assert stripe.objects("payment_intents") == []
    assert charge("finance:finance_router_bot", "12.50", idempotency_key="order-1")["status"] == "succeeded"
    assert charge("finance:finance_router_bot", "12.50", idempotency_key="order-1", dry_run=True)["amount"] == "12.50"


def test_the_token_says_what_it_allows():
    assert "charge" in whoami()["scopes"]


def test_a_charge_of_the_routes_price(stripe):
    payment = charge("finance:finance_router_bot", price_id="price_finance_standard")

    assert (payment["amount"], payment["route"]["price_id"]) == ("25.00", "price_finance_standard")


def test_a_charge_with_a_key_of_ones_own_is_made_once(stripe):
    first = charge(
        "finance:finance_router_bot", amount="10.00", overrides={"region": "eu"}, idempotency_key="order-4711"
    )
    again = charge(
        "finance:finance_router_bot", amount="10.00", overrides={"region": "eu"}, idempotency_key="order-4711"
    )

    assert first == again
    assert first["currency"] == "eur"
    assert len(stripe.objects("payment_intents")) == 1


def test_a_route_is_registered_for_a_new_bot_and_charged(stripe):
    register_route(
        "analytics",
        "new_bot",
        {
            "product_id": "prod_finance_router",
            "price_id": "price_finance_standard",
            "customer_id": "cus_finance_default",
        },
    )

    assert charge("analytics:new_bot", amount=1)["bot"] == "stripe:analytics:new_bot"


def test_a_regions_route_is_registered_and_charged(stripe):
    Route.objects.filter(region__slug="eu").delete()

    register_route(
        "finance",
        "finance_router_bot",
        {
            "product_id": "prod_finance_router",
            "price_id": "price_finance_eu",
            "customer_id": "cus_finance_default",
            "currency": "eur",
        },
        region="eu",
    )
    payment = charge("finance:finance_router_bot", overrides={"region": "eu"})

    assert (payment["amount"], payment["currency"], payment["route"]["region"]) == ("27.00", "eur", "eu")


def test_an_override_is_registered_and_charged(stripe):
    register_override(
        {
            "business_category": "finance",
            "bot_name": "finance_router_bot",
            "key": "business",
            "value": "enterprise",
            "route": {"price_id": "price_finance_enterprise"},
        }
    )
    payment = charge("finance:finance_router_bot", overrides={"business": "enterprise"})

    assert (payment["amount"], payment["route"]["price_id"]) == ("99.00", "price_finance_enterprise")


def test_a_customer_is_created(stripe):
    customer = create_customer("finance:finance_router_bot", {"email": "bot@example.com"})

    assert stripe.objects("customers", email="bot@example.com")[0]["id"] == customer["id"]


def test_a_charge_is_refunded(stripe):
    payment = charge("finance:finance_router_bot", amount=10.0)

    refund("finance:finance_router_bot", payment["stripe"]["payment_intent"], amount=5.0)
    rest = refund("finance:finance_router_bot", payment["id"])

    assert rest["id"].startswith("re_")
    assert [refunded["amount"] for refunded in stripe.objects("refunds")] == [500, 500]


def test_a_subscription_is_created(stripe):
    stripe.control.seed_price(stripe.account, "price_monthly", product="prod_finance_router", interval="month")
    Route.objects.filter(region__slug="default").update(price_id="price_monthly")

    assert create_subscription("finance:finance_router_bot")["status"] == "active"


def test_a_checkout_session_is_created(stripe, monkeypatch):
    key = "pk_live_" + "5a" * 16
    monkeypatch.setenv("STRIPE_PUBLIC_KEY", key)

    page = create_checkout_session(
        "finance:finance_router_bot",
        {"success_url": "https://example.com/s", "cancel_url": "https://example.com/c"},
    )

    assert page["id"].startswith("cs_")
    assert page["url"]
    assert page["publishable_key"] == key


def test_the_balance_is_read(stripe):
    charge("finance:finance_router_bot", amount=10.0)

    balance = get_balance("finance:finance_router_bot")

    assert [entry["currency"] for entry in balance["available"] + balance["pending"]] != []


def test_the_routing_table_is_live_and_read_only():
    where = ("stripe", "default", "finance", "finance_router_bot")

    assert ROUTING_TABLE[where]["price_id"] == "price_finance_standard"
    Route.objects.filter(region__slug="default").update(price_id="price_new")
    assert ROUTING_TABLE[where]["price_id"] == "price_new"
    assert set(ROUTING_TABLE) == {where, ("stripe", "eu", "finance", "finance_router_bot")}
    with pytest.raises(TypeError):
        ROUTING_TABLE[where] = {}


def test_resolve_returns_the_route():
    assert resolve(BOT, overrides={"region": "eu"})["route"]["price_id"] == "price_finance_eu"


def test_an_unknown_outcome_is_an_error_that_carries_the_payment(stripe):
    stripe.control.fault("reset_after", path="/v1/payment_intents")

    with stripe_billing_router.Client(wait=1) as client, pytest.raises(errors.OutcomeUnknown) as caught:
        client.charge(BOT, amount=10)

    assert caught.value.money_may_have_moved
    assert caught.value.context["payment"]["status"] == "unknown"


def test_a_charge_that_stripe_did_not_run_is_retried_with_the_same_key(stripe):
    stripe.control.fault("status", status=429, path="/v1/payment_intents", count=2)

    assert charge(BOT, amount=10)["status"] == "succeeded"
    assert len(stripe.objects("payment_intents")) == 1


@pytest.mark.parametrize(
    ("caller", "fields", "error"),
    [
        ("paypal:finance:finance_router_bot", {}, errors.UnknownDomain),
        ("sales:finance_router_bot", {}, errors.UnknownCategory),
        ("finance:nobody", {}, errors.UnknownBot),
        ("nonsense", {}, errors.InvalidIdentifier),
        (BOT, {"overrides": {"region": "mars"}}, errors.UnknownRegion),
        (BOT, {"overrides": {"business": "nobody"}}, errors.OverrideNotFound),
        (BOT, {"currency": "eur"}, errors.NotAllowedByRoute),
        (BOT, {"amount": "1.005"}, errors.InvalidAmount),
    ],
)
def test_an_error_of_the_server_arrives_as_the_same_class(stripe, caller, fields, error):
    with pytest.raises(error) as caught:
        charge(caller, **{"amount": 10} | fields)

    assert isinstance(caught.value, RuntimeError)
    assert stripe.requests("POST") == []


def test_a_decline_a_pause_and_a_wrong_account_arrive_too(stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="insufficient_funds")
    Route.objects.update(customer_id="cus_poor")
    with pytest.raises(errors.Declined, match="insufficient_funds"):
        charge(BOT, amount=10)

    Domain.objects.update(account_id="acct_another")
    with stripe_billing_router.Client(wait=0) as client, pytest.raises(errors.WrongAccount):
        client.charge(BOT, amount=10)

    Bot.objects.update(is_paused=True)
    with stripe_billing_router.Client(wait=0) as client, pytest.raises(errors.Paused):
        client.charge(BOT, amount=10)


def test_every_payment_says_what_is_left_of_its_caps(stripe):
    Cap.objects.create(measure="gross", per="day", currency="usd", limit=100_00)
    Cap.objects.create(measure="refunds", per="day", currency="usd", limit=9_00)

    payment = charge(BOT, amount=30)
    refunded = refund(BOT, payment["id"], amount=2)
    page = create_checkout_session(BOT, {"success_url": "https://example.com/s"})
    with pytest.raises(errors.CapExceeded) as refused:
        charge(BOT, amount=60)

    [cap] = payment["caps"]
    assert (cap["scope"], cap["limit"], cap["left"]) == ("everywhere", "100.00 USD", "70.00 USD")
    assert [cap["left"] for cap in refunded["caps"]] == ["7.00 USD"]
    assert [cap["left"] for cap in page["caps"]] == ["45.00 USD"]
    assert refused.value.context["cap"] == page["caps"][0]


def test_what_is_left_is_known_while_the_outcome_is_open_and_when_it_is_read_later(stripe):
    Cap.objects.create(measure="count", per="month", limit=5)
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    with pytest.raises(errors.OutcomeUnknown) as caught, stripe_billing_router.Client(wait=0) as client:
        client.charge(BOT, amount=10, idempotency_key="order-1")
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()

    settled = stripe_billing_router.get_payment(caught.value.context["payment"]["id"])

    assert [cap["left"] for cap in caught.value.context["payment"]["caps"]] == ["4"]
    assert (settled["status"], [cap["left"] for cap in settled["caps"]]) == ("succeeded", ["4"])


def test_the_asynchronous_client_makes_the_same_calls(stripe):
    async def bill() -> list[str]:
        async with AsyncClient() as client:
            payments = await asyncio.gather(*(client.charge(BOT, amount=n) for n in (1, 2, 3)))
        return [payment["amount"] for payment in payments]

    assert asyncio.run(bill()) == ["1.00", "2.00", "3.00"]


def test_a_payment_is_found_by_its_idempotency_key():
    charged = charge("finance:finance_router_bot", 10, idempotency_key="order-77")

    assert stripe_billing_router.get_payment(idempotency_key="order-77")["id"] == charged["id"]
    with pytest.raises(errors.NotFound, match="no such payment"):
        stripe_billing_router.get_payment(idempotency_key="order-78")
    with pytest.raises(errors.InvalidRequest):
        stripe_billing_router.get_payment()


def test_a_decline_says_why_and_what_to_do(stripe):
    use_card(stripe, "insufficient_funds")

    with pytest.raises(errors.Declined) as caught:
        charge("finance:finance_router_bot", 10)

    assert (caught.value.decline_code, caught.value.advice_code) == ("insufficient_funds", "try_again_later")
    assert errors.Declined("without a payment").decline_code == ""


def test_payments_are_paged_through(monkeypatch):
    monkeypatch.setattr("stripe_billing_router.calls._LARGEST_PAGE", 2)
    for number in range(5):
        charge("finance:finance_router_bot", 10 + number, idempotency_key=f"order-{number}")

    async def with_await() -> list[str]:
        async with AsyncClient() as client:
            return [payment["amount"] async for payment in client.iter_payments()]

    newest_first = ["14.00", "13.00", "12.00", "11.00", "10.00"]
    assert [payment["amount"] for payment in stripe_billing_router.iter_payments()] == newest_first
    assert asyncio.run(with_await()) == newest_first
    assert list(stripe_billing_router.iter_payments(status="declined")) == []
