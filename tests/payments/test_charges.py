"""One charge: the ledger, the sandbox Stripe, and what a bot is told."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from routing.caps.models import Cap
from routing.errors import (
    Declined,
    IdempotencyConflict,
    InvalidAmount,
    KeyUnavailable,
    NoPaymentMethod,
    NotAllowedByRoute,
    Rejected,
    StillRunning,
    StripeUnavailable,
    UnknownBot,
    WrongAccount,
)
from routing.identifiers import BotId
from routing.keys import reset_keyring
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.charges import Charge, charge
from routing.payments.states import Status
from routing.registry.models import Bot, Domain, Override, Route

BOT = BotId.parse("finance:finance_router_bot")


def pay(key="order-1", **wanted: Any):
    """Charge, and raise what a failed payment is, as the API does."""
    made = charge(BOT, Charge(**wanted), idempotency_key=key)
    raise_if_failed(made.payment)
    return made


def until(holds):
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "It did not happen within five seconds."
        time.sleep(0.01)


def test_an_amount_is_charged_on_the_routes_customer_with_the_route_in_the_metadata(bot, stripe):
    payment = pay(amount="19.99", description="One seat", metadata={"order": "4711"}).payment

    [intent] = stripe.objects("payment_intents")
    assert (intent["amount"], intent["currency"], intent["customer"]) == (1999, "usd", "cus_finance_default")
    assert intent["description"] == "One seat"
    assert intent["metadata"] == {
        "order": "4711",
        "payment_id": str(payment.id),
        "bot": "stripe:finance:finance_router_bot",
        "domain": "stripe",
        "region": "default",
        "product_id": "prod_finance_router",
        "price_id": "price_finance_standard",
        "registry_version": str(payment.registry_version),
    }
    assert (payment.status, payment.amount, payment.payment_intent_id) == ("succeeded", "19.99", intent["id"])
    assert payment.charge_id == intent["latest_charge"]
    assert payment.account_id == stripe.account


def test_without_an_amount_the_routes_price_is_invoiced_and_paid(bot, stripe):
    payment = pay(quantity=3).payment

    [invoice] = stripe.objects("invoices")
    assert (invoice["status"], invoice["amount_paid"], invoice["currency"]) == ("paid", 7500, "usd")
    assert (payment.kind, payment.amount, payment.quantity) == ("invoice", "75.00", 3)
    assert payment.invoice_id == invoice["id"]
    assert payment.payment_intent_id.startswith("pi_")
    assert [e["path"].split("/")[2] for e in stripe.requests("POST")] == [
        "invoices",
        "invoiceitems",
        "invoices",
        "invoices",
    ]


@pytest.mark.parametrize(
    ("overrides", "price", "currency"),
    [
        ({}, "price_finance_standard", "usd"),
        ({"region": "eu"}, "price_finance_eu", "eur"),
        ({"business": "enterprise"}, "price_finance_enterprise", "usd"),
    ],
)
def test_the_qualifiers_choose_the_price_and_the_currency(bot, stripe, overrides, price, currency):
    payment = pay(overrides=overrides).payment

    assert (payment.price_id, payment.currency, payment.overrides) == (price, currency, overrides)
    assert stripe.objects("invoices")[0]["currency"] == currency


def test_the_ledger_row_is_committed_before_stripe_is_called(bot, stripe):
    stripe.control.fault("reset_before", path="/v1/payment_intents")

    payment = pay(amount="10").payment

    assert Payment.objects.get().id == payment.id
    assert [event.to_status for event in payment.events.all()] == ["sent", "unknown"]


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("reset_before", {}),
        ("reset_after", {}),
        ("truncate", {}),
        ("not_json", {}),
        ("status", {"status": 500}),
        ("status", {"status": 500, "effect": True}),
        ("status", {"status": 503}),
    ],
)
@pytest.mark.parametrize("wanted", [{"amount": "10"}, {}])
def test_a_payment_whose_outcome_is_not_known_is_unknown_and_never_failed(bot, stripe, fault, how, wanted):
    stripe.control.fault(fault, method="POST", path="/v1/invoices/*/pay", **how)
    stripe.control.fault(fault, method="POST", path="/v1/payment_intents", **how)

    made = pay(**wanted)

    assert made.payment.status == Status.UNKNOWN
    assert made.payment.settled_at is None


def test_the_same_key_and_words_give_the_first_answer_again_and_charge_once(bot, stripe):
    first = pay(amount="10")
    again = pay(amount="10")

    assert (first.is_replay, again.is_replay) == (False, True)
    assert again.payment == first.payment
    assert len(stripe.objects("payment_intents")) == 1


def test_the_same_key_with_other_words_is_refused(bot, stripe):
    pay(amount="10")

    with pytest.raises(IdempotencyConflict):
        pay(amount="11")

    assert len(stripe.objects("payment_intents")) == 1


def test_another_key_is_another_charge(bot, stripe):
    pay("order-1", amount="10")
    pay("order-2", amount="10")

    assert len(stripe.objects("payment_intents")) == 2


@pytest.mark.parametrize(
    "change", ["the bot is paused", "the route is gone", "the key is gone", "the customer is gone"]
)
def test_a_charge_that_was_made_is_answered_again_whatever_has_changed_since(bot, stripe, monkeypatch, change):
    first = pay(amount="10").payment
    if change == "the bot is paused":
        Bot.objects.update(is_paused=True)
    elif change == "the route is gone":
        Route.objects.all().delete()
    elif change == "the key is gone":
        monkeypatch.delenv("STRIPE_SECRET_KEY")
        reset_keyring()
    else:
        Route.objects.update(customer_id="cus_gone")

    again = pay(amount="10")

    assert again.is_replay
    assert again.payment.id == first.id


def test_a_decline_is_told_with_the_payment_and_stays_declined(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="insufficient_funds")
    Route.objects.update(customer_id="cus_poor")

    with pytest.raises(Declined, match="insufficient_funds") as caught:
        pay(amount="10")
    with pytest.raises(Declined):
        pay(amount="10")

    payment = Payment.objects.get()
    assert caught.value.context["payment"]["id"] == str(payment.id)
    assert (payment.status, payment.error["decline_code"]) == ("declined", "insufficient_funds")
    assert payment.payment_intent_id.startswith("pi_")
    assert len(stripe.requests("POST", "/v1/payment_intents")) == 1


def test_a_charge_that_needs_the_customer_present_is_declined(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_3ds", card="3ds")
    Route.objects.update(customer_id="cus_3ds")

    with pytest.raises(Declined, match="authentication_required"):
        pay(amount="10")


def test_the_invoice_of_a_declined_price_is_voided_so_that_nobody_pays_it_later(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")

    with pytest.raises(Declined):
        pay()

    [invoice] = stripe.objects("invoices")
    assert invoice["status"] == "void"
    assert Payment.objects.get().invoice_id == invoice["id"]


def test_a_declined_price_whose_invoice_could_not_be_voided_is_not_called_declined(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")
    stripe.control.fault("status", status=503, path="/v1/invoices/*/void")

    assert pay().payment.status == Status.UNKNOWN


def test_an_invoice_that_comes_to_more_than_the_price_is_not_paid(bot, stripe):
    Cap.objects.create(bot=bot, measure="gross", per="charge", currency="usd", limit=2500)
    stripe.control.seed_price(stripe.account, "price_tiny", product="prod_finance_router", unit_amount=20)
    Route.objects.update(price_id="price_tiny")
    pay("below-the-minimum")  # Stripe has the customer owe it, and adds it to the next invoice
    Route.objects.update(price_id="price_finance_standard")

    with pytest.raises(Rejected, match=r"comes to 25\.20 instead of 25\.00") as refused:
        pay("order-1")

    assert refused.value.context["payment"]["amount"] == "25.00"
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void", "paid"]
    assert all(intent["status"] != "succeeded" for intent in stripe.objects("payment_intents"))


def test_what_stripe_rejects_leaves_no_invoice_behind(bot, stripe):
    stripe.control.fault("status", status=400, path="/v1/invoiceitems")

    with pytest.raises(Rejected):
        pay()

    assert stripe.objects("invoices") == []


def test_a_draft_that_cannot_be_finalized_is_emptied_and_deleted(bot, stripe):
    stripe.control.fault("status", status=400, path="/v1/invoices/*/finalize")

    with pytest.raises(Rejected):
        pay()

    assert stripe.objects("invoices") == stripe.objects("invoiceitems") == []


def test_a_charge_that_stripe_puts_off_is_sent_when_the_bot_comes_again(bot, stripe):
    stripe.control.fault("status", status=429, path="/v1/payment_intents")

    with pytest.raises(StripeUnavailable) as caught:
        pay(amount="10")
    made = pay(amount="10")

    assert caught.value.retry_with_same_key
    assert not caught.value.money_may_have_moved
    assert made.payment.status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1
    assert [event.to_status for event in made.payment.events.all()] == ["sent", "received", "sent", "succeeded"]


def test_no_connection_to_stripe_is_known_to_have_charged_nothing(bot, stripe, settings):
    pay("warm", amount="10")
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    with pytest.raises(StripeUnavailable):
        pay("order-1", amount="10")

    assert Payment.objects.get(idempotency_key="order-1").status == Status.RECEIVED


def test_an_edit_before_a_charge_decides_it_although_the_process_has_not_seen_it(bot, stripe):
    pay("order-1")
    Route.objects.filter(region__slug="default").update(price_id="price_finance_enterprise")

    assert pay("order-2").payment.price_id == "price_finance_enterprise"


def test_a_pause_before_a_charge_stops_it_although_the_process_has_not_seen_it(bot, stripe):
    pay("order-1", amount="10")
    Domain.objects.update(is_paused=True)

    with pytest.raises(RuntimeError, match="paused"):
        pay("order-2", amount="10")

    assert len(stripe.objects("payment_intents")) == 1


@pytest.mark.parametrize(
    "wanted", [{"price_id": "price_finance_enterprise"}, {"currency": "eur"}, {"customer_id": "cus_x"}]
)
def test_what_a_caller_names_may_only_repeat_the_route(bot, stripe, wanted):
    with pytest.raises(NotAllowedByRoute):
        pay(amount="10", **wanted)

    assert stripe.requests("POST") == []


def test_repeating_what_the_route_says_is_allowed(bot, stripe):
    payment = pay(price_id="price_finance_standard", currency="USD", customer_id="cus_finance_default").payment

    assert payment.status == Status.SUCCEEDED


@pytest.mark.parametrize("amount", ["1.005", "NaN", "1e400", "１２", "0", "-1", True])
def test_a_wrong_amount_reaches_neither_the_ledger_nor_stripe(bot, stripe, amount):
    with pytest.raises(InvalidAmount):
        pay(amount=amount)

    assert not Payment.objects.exists()
    assert stripe.requests() == []


def test_an_unknown_bot_reaches_neither_the_ledger_nor_stripe(bot, stripe):
    with pytest.raises(UnknownBot):
        charge(BotId.parse("finance:nobody"), Charge(amount="10"), idempotency_key="order-1")

    assert not Payment.objects.exists()
    assert stripe.requests() == []


@pytest.mark.parametrize(
    "key", ["", " ", "sk_test_" + "x" * 24, "pk_live_" + "x" * 24, "whsec_" + "x" * 24, "nonsense"]
)
def test_without_a_live_key_nothing_is_sent(bot, stripe, monkeypatch, key):
    monkeypatch.setenv("STRIPE_SECRET_KEY", key)
    reset_keyring()

    with pytest.raises(KeyUnavailable) as caught:
        pay(amount="10")

    assert not key.strip() or key not in str(caught.value)
    assert not Payment.objects.exists()
    assert stripe.requests() == []


def test_a_key_of_another_account_is_not_used(bot, stripe):
    Domain.objects.update(account_id="acct_another")

    with pytest.raises(WrongAccount, match="acct_another"):
        pay(amount="10")

    assert stripe.requests("POST") == []


def test_a_customer_without_a_payment_method_is_told_so_before_anything_is_sent(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_bare", card=None)
    Route.objects.update(customer_id="cus_bare")

    with pytest.raises(NoPaymentMethod, match="cus_bare"):
        pay(amount="10")

    assert stripe.requests("POST") == []


@pytest.mark.parametrize("wanted", [{"amount": "10"}, {}])
def test_a_payment_method_that_was_replaced_is_looked_up_again(bot, stripe, wanted):
    pay("order-1", **wanted)
    old = stripe.objects("customers")[0]["invoice_settings"]["default_payment_method"]
    replace_payment_method(stripe, old)

    payment = pay("order-2", **wanted).payment

    assert payment.status == Status.SUCCEEDED
    assert old not in str(payment.request)


def replace_payment_method(stripe, old):
    """Detach the customer's payment method and make another one its default, as a person does in the dashboard."""
    from stripe import StripeClient  # noqa: TID251 (a test of Stripe's own side)

    client = StripeClient(stripe.key, base_addresses={"api": stripe.control.address})
    client.v1.payment_methods.detach(old)
    new = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": "cus_finance_default"})
    client.v1.customers.update("cus_finance_default", {"invoice_settings": {"default_payment_method": new.id}})


def test_a_request_that_is_still_running_says_so(bot, stripe):
    stripe.control.fault("latency", seconds=2, method="POST", path="/v1/payment_intents")

    with ThreadPoolExecutor() as threads:
        first = threads.submit(pay, amount="10")
        until(lambda: stripe.requests("POST", "/v1/payment_intents"))
        with pytest.raises(StillRunning) as caught:
            pay(amount="10")

    assert caught.value.context["payment"]["id"] == str(first.result().payment.id)
    assert len(stripe.objects("payment_intents")) == 1


def test_many_callers_with_one_key_charge_once(bot, stripe):
    def attempt(_):
        try:
            return pay(amount="10").payment.status
        except StillRunning:
            return "running"

    with ThreadPoolExecutor(32) as threads:
        answers = set(threads.map(attempt, range(64)))

    assert Status.SUCCEEDED in answers
    assert answers <= {Status.SUCCEEDED, "running"}
    assert len(stripe.objects("payment_intents")) == 1


def test_an_override_that_is_registered_counts_for_the_next_charge(bot, stripe):
    Override.objects.create(bot=bot, key="tier", value="gold", price_id="price_finance_enterprise")

    assert pay(overrides={"tier": "gold"}).payment.price_id == "price_finance_enterprise"
