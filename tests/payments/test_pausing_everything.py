"""Pausing all billing: the next call is refused, what was sent is settled, and billing goes on afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from routing import postgres
from routing.errors import Paused
from routing.identifiers import BotId
from routing.payments.ledger.models import Payment
from routing.payments.operations.balances import fetch_balance
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.operations.refunds import Refund, refund
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.registry import snapshot
from routing.registry.models import Bot, Pause
from routing.registry.pausing import pause_everything, resume_everything

if TYPE_CHECKING:
    from collections.abc import Callable

BOT = BotId.parse("finance:finance_router_bot")


def pay(key: str = "order-1") -> Payment:
    return charge(BOT, Charge(amount="10"), idempotency_key=key).payment


@pytest.fixture
def _looks_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process one that has read the registry and does not look whether it is still the same."""
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 3600)


def in_psql() -> None:
    with postgres.connection() as database:
        database.execute("INSERT INTO routing_pause (reason, paused_by, resumed_by) VALUES ('', 'psql', '')")


@pytest.mark.usefixtures("_looks_never_again")
@pytest.mark.parametrize("throw", [lambda: pause_everything(by="finance"), in_psql], ids=["the desk", "psql"])
def test_the_next_charge_is_refused_by_a_process_that_has_not_seen_it(bot, stripe, throw):
    pay()
    throw()
    before = len(stripe.requests())

    with pytest.raises(Paused, match=r"^All billing is paused\. Ask finance to resume it\.$"):
        pay("order-2")

    assert len(stripe.requests()) == before
    assert not Payment.objects.filter(idempotency_key="order-2").exists()


@pytest.mark.usefixtures("_looks_never_again")
def test_the_next_charge_after_it_is_made_by_a_process_that_has_not_seen_that(bot, stripe):
    pause_everything(by="finance")
    with pytest.raises(Paused):
        pay()

    resume_everything(by="finance")

    assert pay().status == Status.SUCCEEDED


@pytest.mark.parametrize("reason", ["Stripe is down", "Stripe is down."])
def test_bots_are_told_why(bot, stripe, reason):
    pause_everything(by="finance", reason=reason)

    with pytest.raises(Paused, match=r"^All billing is paused: Stripe is down\. Ask finance to resume it\.$"):
        pay()


@pytest.mark.parametrize(
    "call",
    [
        lambda paid: refund(BOT, Refund(payment=str(paid.id)), idempotency_key="refund-1"),
        lambda _: subscribe(BOT, Subscription(), idempotency_key="subscription-1"),
        lambda _: open_checkout(BOT, Checkout(success_url="https://example.com/s"), idempotency_key="checkout-1"),
        lambda _: create_customer(BOT, NewCustomer(), idempotency_key="customer-1"),
        lambda _: fetch_balance(BOT),
    ],
    ids=["a refund", "a subscription", "a checkout session", "a customer", "the balance"],
)
def test_whatever_a_domains_pause_stops_is_stopped(bot, stripe, monkeypatch, call: Callable[[Payment], Any]):
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 0)
    paid = pay()
    pause_everything(by="finance")
    before = len(stripe.requests())

    with pytest.raises(Paused):
        call(paid)

    assert len(stripe.requests()) == before
    assert Payment.objects.count() == 1


def test_what_was_sent_before_is_settled_and_answered_meanwhile(bot, stripe):
    pay("order-0")
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    assert pay().status == Status.UNKNOWN
    pause_everything(by="finance")
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")

    settle_open()

    assert Payment.objects.get(idempotency_key="order-1").status == Status.SUCCEEDED
    assert pay().status == pay("order-0").status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 2


def test_what_was_put_off_before_is_not_sent_meanwhile(bot, stripe, settings):
    pay("order-0")
    address, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    assert pay().status == Status.RECEIVED
    settings.STRIPE_API_BASE = address
    pause_everything(by="finance")

    with pytest.raises(Paused):
        pay()

    assert len(stripe.objects("payment_intents")) == 1


def test_of_many_who_throw_it_at_once_one_does(bot):
    def throw(number: int) -> Pause | None:
        try:
            return pause_everything(by=f"person {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        thrown = [pause for pause in threads.map(throw, range(8)) if pause]

    assert [pause.paused_by for pause in thrown] == [Pause.objects.get().paused_by]


def test_a_bot_that_is_paused_itself_stays_so(bot, stripe):
    Bot.objects.update(is_paused=True)
    pause_everything(by="finance")

    resume_everything(by="finance")

    with pytest.raises(Paused, match="by the bot"):
        pay()
