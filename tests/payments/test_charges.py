"""One charge: the ledger, the sandbox Stripe, and the response to the bot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

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
from routing.payments.operations.charges import Charge, charge
from routing.payments.states import Status
from routing.registry.models import Bot, Domain, Override, Route
from tests.payments.caps import add_cap
from tests.payments.conftest import BOT, UNKNOWN_OUTCOMES
from tests.payments.stripe_account import use_card
from tests.payments.threads import closing_connection, until


def test_an_amount_is_charged_on_the_routes_customer_with_the_route_in_the_metadata(pay, stripe):
    payment = pay(amount="19.99", description="One seat", metadata={"order": "4711"})

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


def test_without_an_amount_the_routes_price_is_invoiced_and_paid(pay, stripe):
    payment = pay(quantity=3)

    [invoice] = stripe.objects("invoices")
    assert (invoice["status"], invoice["amount_paid"], invoice["currency"]) == ("paid", 7500, "usd")
    assert (payment.kind, payment.amount, payment.quantity) == ("invoice", "75.00", 3)
    assert payment.invoice_id == invoice["id"]
    assert payment.payment_intent_id.startswith("pi_")
    assert [request["path"].split("/")[2] for request in stripe.requests("POST")] == [
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
def test_the_qualifiers_choose_the_price_and_the_currency(pay, stripe, overrides, price, currency):
    payment = pay(overrides=overrides)

    assert (payment.status, payment.price_id, payment.currency) == (Status.SUCCEEDED, price, currency)
    assert payment.overrides == overrides
    assert stripe.objects("invoices")[0]["currency"] == currency


def test_the_ledger_row_is_committed_before_stripe_is_called(pay, stripe):
    stripe.control.fault("reset_before", path="/v1/payment_intents")

    payment = pay(amount="10")

    assert Payment.objects.get().id == payment.id
    assert [event.to_status for event in payment.events.all()] == ["sent", "unknown"]


@pytest.mark.parametrize(("fault", "options"), [*UNKNOWN_OUTCOMES, ("status", {"status": 500, "effect": True})])
@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_a_payment_whose_outcome_is_not_known_is_unknown_and_never_failed(pay, stripe, fault, options, fields):
    stripe.control.fault(fault, method="POST", path="/v1/invoices/*/pay", **options)
    stripe.control.fault(fault, method="POST", path="/v1/payment_intents", **options)

    payment = pay(**fields)

    assert payment.status == Status.UNKNOWN
    assert payment.settled_at is None


def test_a_repeated_request_is_replayed_and_charged_once(bot, stripe):
    first, replay = (charge(BOT, Charge(amount="10"), idempotency_key="order-1") for _ in range(2))

    assert (first.is_replay, replay.is_replay) == (False, True)
    assert replay.payment == first.payment
    assert len(stripe.objects("payment_intents")) == 1


def test_another_request_under_the_same_key_is_a_conflict(pay, stripe):
    pay(amount="10")

    with pytest.raises(IdempotencyConflict):
        pay(amount="11")

    assert len(stripe.objects("payment_intents")) == 1


def test_another_key_is_another_charge(pay, stripe):
    pay("order-1", amount="10")
    pay("order-2", amount="10")

    assert [intent["status"] for intent in stripe.objects("payment_intents")] == ["succeeded", "succeeded"]


@pytest.mark.parametrize(
    "change", ["the bot is paused", "the route is gone", "the key is gone", "the customer is gone"]
)
def test_a_charge_is_replayed_whatever_has_changed_since(pay, monkeypatch, change):
    first = pay(amount="10")
    if change == "the bot is paused":
        Bot.objects.update(is_paused=True)
    elif change == "the route is gone":
        Route.objects.all().delete()
    elif change == "the key is gone":
        monkeypatch.delenv("STRIPE_SECRET_KEY")
        reset_keyring()
    else:
        Route.objects.update(customer_id="cus_gone")

    replay = charge(BOT, Charge(amount="10"), idempotency_key="order-1")

    assert replay.is_replay
    assert replay.payment.id == first.id


def test_a_decline_is_raised_with_the_payment_and_stays_declined(pay_or_raise, stripe):
    use_card(stripe, "insufficient_funds")

    with pytest.raises(Declined, match="insufficient_funds") as caught:
        pay_or_raise(amount="10")
    with pytest.raises(Declined):
        pay_or_raise(amount="10")

    payment = Payment.objects.get()
    assert caught.value.context["payment"]["id"] == str(payment.id)
    assert (payment.status, payment.error["decline_code"]) == ("declined", "insufficient_funds")
    assert payment.payment_intent_id.startswith("pi_")
    assert len(stripe.requests("POST", "/v1/payment_intents")) == 1


def test_a_charge_that_needs_the_customer_present_is_declined(pay_or_raise, stripe):
    use_card(stripe, "3ds")

    with pytest.raises(Declined, match="authentication_required"):
        pay_or_raise(amount="10")


def test_the_invoice_of_a_declined_price_is_voided_so_that_nobody_pays_it_later(pay_or_raise, stripe):
    use_card(stripe, "declined")

    with pytest.raises(Declined):
        pay_or_raise()

    [invoice] = stripe.objects("invoices")
    assert invoice["status"] == "void"
    assert Payment.objects.get().invoice_id == invoice["id"]


def test_a_declined_price_whose_invoice_could_not_be_voided_is_unknown(pay, stripe):
    use_card(stripe, "declined")
    stripe.control.fault("status", status=503, path="/v1/invoices/*/void")

    assert pay().status == Status.UNKNOWN


def test_an_invoice_that_comes_to_more_than_the_price_is_not_paid(bot, pay_or_raise, stripe):
    add_cap(2500, per="charge", bot=bot)
    stripe.control.seed_price(stripe.account, "price_tiny", product="prod_finance_router", unit_amount=20)
    Route.objects.update(price_id="price_tiny")
    pay_or_raise("below-the-minimum")  # Stripe carries it over to the customer's next invoice
    Route.objects.update(price_id="price_finance_standard")

    with pytest.raises(Rejected, match=r"comes to 25\.20 instead of 25\.00") as caught:
        pay_or_raise("order-1")

    assert caught.value.context["payment"]["amount"] == "25.00"
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void", "paid"]
    assert all(intent["status"] != "succeeded" for intent in stripe.objects("payment_intents"))


def test_what_stripe_rejects_leaves_no_invoice_behind(pay_or_raise, stripe):
    stripe.control.fault("status", status=400, path="/v1/invoiceitems")

    with pytest.raises(Rejected):
        pay_or_raise()

    assert stripe.objects("invoices") == []


def test_a_draft_that_cannot_be_finalized_is_emptied_and_deleted(pay_or_raise, stripe):
    stripe.control.fault("status", status=400, path="/v1/invoices/*/finalize")

    with pytest.raises(Rejected):
        pay_or_raise()

    assert stripe.objects("invoices") == stripe.objects("invoiceitems") == []


def test_a_charge_that_stripe_rate_limits_is_sent_when_the_bot_retries(pay_or_raise, stripe):
    stripe.control.fault("status", status=429, path="/v1/payment_intents")

    with pytest.raises(StripeUnavailable) as caught:
        pay_or_raise(amount="10")
    payment = pay_or_raise(amount="10")

    assert caught.value.retry_with_same_key
    assert not caught.value.money_may_have_moved
    assert payment.status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1
    assert [event.to_status for event in payment.events.all()] == ["sent", "received", "sent", "succeeded"]


def test_a_charge_that_could_not_connect_to_stripe_is_received_and_not_unknown(pay_or_raise, settings):
    pay_or_raise("warm", amount="10")
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    with pytest.raises(StripeUnavailable):
        pay_or_raise("order-1", amount="10")

    assert Payment.objects.get(idempotency_key="order-1").status == Status.RECEIVED


def test_a_charge_takes_a_route_that_was_edited_just_before(pay):
    pay("order-1")
    Route.objects.filter(region__slug="default").update(price_id="price_finance_enterprise")

    assert pay("order-2").price_id == "price_finance_enterprise"


def test_a_charge_is_stopped_by_a_pause_just_before(pay, stripe):
    pay("order-1", amount="10")
    Domain.objects.update(is_paused=True)

    with pytest.raises(RuntimeError, match="paused"):
        pay("order-2", amount="10")

    assert len(stripe.objects("payment_intents")) == 1


@pytest.mark.parametrize(
    "fields", [{"price_id": "price_finance_enterprise"}, {"currency": "eur"}, {"customer_id": "cus_x"}]
)
def test_a_field_that_contradicts_the_route_is_refused(pay, stripe, fields):
    with pytest.raises(NotAllowedByRoute):
        pay(amount="10", **fields)

    assert stripe.requests("POST") == []


def test_a_field_that_repeats_the_route_is_accepted(pay):
    payment = pay(price_id="price_finance_standard", currency="USD", customer_id="cus_finance_default")

    assert payment.status == Status.SUCCEEDED


@pytest.mark.parametrize("amount", ["1.005", "NaN", "1e400", "１２", "0", "-1", True])
def test_an_invalid_amount_reaches_neither_the_ledger_nor_stripe(pay, stripe, amount):
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
def test_without_a_live_key_nothing_is_sent(pay, stripe, monkeypatch, key):
    monkeypatch.setenv("STRIPE_SECRET_KEY", key)
    reset_keyring()

    with pytest.raises(KeyUnavailable) as caught:
        pay(amount="10")

    assert not key.strip() or key not in str(caught.value)
    assert not Payment.objects.exists()
    assert stripe.requests() == []


def test_a_key_of_another_account_is_not_used(pay, stripe):
    Domain.objects.update(account_id="acct_another")

    with pytest.raises(WrongAccount, match="acct_another"):
        pay(amount="10")

    assert stripe.requests("POST") == []


def test_a_customer_without_a_payment_method_is_refused_before_anything_is_sent(pay, stripe):
    stripe.control.seed_customer(stripe.account, "cus_without_card", card=None)
    Route.objects.update(customer_id="cus_without_card")

    with pytest.raises(NoPaymentMethod, match="cus_without_card"):
        pay(amount="10")

    assert stripe.requests("POST") == []


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_a_payment_method_that_was_replaced_is_looked_up_again(pay, stripe, fields):
    pay("order-1", **fields)
    old = stripe.objects("customers")[0]["invoice_settings"]["default_payment_method"]
    replace_payment_method(stripe, old)

    payment = pay("order-2", **fields)

    assert payment.status == Status.SUCCEEDED
    assert old not in str(payment.request)


def replace_payment_method(stripe, old):
    """Detach the customer's payment method and make another one the default, as a person does in the Dashboard."""
    stripe.client.payment_methods.detach(old)
    new = stripe.client.payment_methods.attach("pm_card_mastercard", {"customer": "cus_finance_default"})
    stripe.client.customers.update("cus_finance_default", {"invoice_settings": {"default_payment_method": new.id}})


def test_a_request_that_is_still_being_sent_is_refused_meanwhile(pay, stripe):
    stripe.control.fault("latency", seconds=2, method="POST", path="/v1/payment_intents")

    with ThreadPoolExecutor() as threads:
        first = threads.submit(closing_connection(pay), amount="10")
        until(lambda: stripe.requests("POST", "/v1/payment_intents"))
        with pytest.raises(StillRunning) as caught:
            pay(amount="10")

    assert caught.value.context["payment"]["id"] == str(first.result().id)
    assert len(stripe.objects("payment_intents")) == 1


def test_many_callers_with_one_key_charge_once(pay, stripe):
    @closing_connection
    def attempt(_):
        try:
            return pay(amount="10").status
        except StillRunning:
            return "running"

    with ThreadPoolExecutor(32) as threads:
        responses = set(threads.map(attempt, range(64)))

    assert Status.SUCCEEDED in responses
    assert responses <= {Status.SUCCEEDED, "running"}
    assert len(stripe.objects("payment_intents")) == 1


def test_an_override_applies_to_the_next_charge(bot, pay):
    Override.objects.create(bot=bot, key="tier", value="gold", price_id="price_finance_enterprise")

    assert pay(overrides={"tier": "gold"}).price_id == "price_finance_enterprise"
