"""The pause of all billing: the next call is refused, what was sent is settled, and billing resumes afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from routing import postgres
from routing.errors import Paused
from routing.payments.ledger.models import Payment
from routing.payments.operations.balances import fetch_balance
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.operations.refunds import Refund, refund
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.states import Status
from routing.registry import snapshot
from routing.registry.models import Bot, Pause
from routing.registry.pausing import pause_everything, resume_everything
from tests.payments.conftest import BOT
from tests.payments.ledger import recover
from tests.payments.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def _stale_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this process from checking whether the registry has changed since it was read."""
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 3600)


def pause_in_psql() -> None:
    with postgres.connection() as database:
        database.execute("INSERT INTO routing_pause (reason, paused_by, resumed_by) VALUES ('', 'psql', '')")


@pytest.mark.usefixtures("_stale_snapshot")
@pytest.mark.parametrize("pause", [lambda: pause_everything(by="finance"), pause_in_psql], ids=["the admin", "psql"])
def test_the_next_charge_is_refused_by_a_process_that_has_not_seen_the_pause(pay, stripe, pause):
    pay(amount="10")
    pause()
    before = len(stripe.requests())

    with pytest.raises(Paused, match=r"^All billing is paused\. Ask finance to resume it\.$"):
        pay("order-2", amount="10")

    assert len(stripe.requests()) == before
    assert not Payment.objects.filter(idempotency_key="order-2").exists()


@pytest.mark.usefixtures("_stale_snapshot")
def test_the_next_charge_succeeds_in_a_process_that_has_not_seen_the_end_of_the_pause(pay):
    pause_everything(by="finance")
    with pytest.raises(Paused):
        pay(amount="10")

    resume_everything(by="finance")

    assert pay(amount="10").status == Status.SUCCEEDED


@pytest.mark.parametrize("reason", ["Stripe is down", "Stripe is down."])
def test_the_refusal_gives_the_reason(pay, reason):
    pause_everything(by="finance", reason=reason)

    with pytest.raises(Paused, match=r"^All billing is paused: Stripe is down\. Ask finance to resume it\.$"):
        pay(amount="10")


@pytest.mark.parametrize(
    "operation",
    [
        lambda paid: refund(BOT, Refund(payment=str(paid.id)), idempotency_key="refund-1"),
        lambda _: subscribe(BOT, Subscription(), idempotency_key="subscription-1"),
        lambda _: open_checkout(BOT, Checkout(success_url="https://example.com/s"), idempotency_key="checkout-1"),
        lambda _: create_customer(BOT, NewCustomer(), idempotency_key="customer-1"),
        lambda _: fetch_balance(BOT),
    ],
    ids=["a refund", "a subscription", "a checkout session", "a customer", "the balance"],
)
def test_every_operation_that_the_pause_of_a_domain_stops_is_stopped(
    pay, stripe, monkeypatch, operation: Callable[[Payment], Any]
):
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 0)
    paid = pay(amount="10")
    pause_everything(by="finance")
    before = len(stripe.requests())

    with pytest.raises(Paused):
        operation(paid)

    assert len(stripe.requests()) == before
    assert Payment.objects.count() == 1


def test_what_was_sent_before_is_settled_and_replayed_meanwhile(pay, stripe):
    pay("order-0", amount="10")
    stripe.control.fault("reset_after", path="/v1/payment_intents")
    assert pay(amount="10").status == Status.UNKNOWN
    pause_everything(by="finance")

    recover()

    assert Payment.objects.get(idempotency_key="order-1").status == Status.SUCCEEDED
    assert pay(amount="10").status == pay("order-0", amount="10").status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 2


def test_what_was_received_before_and_not_sent_is_not_sent_meanwhile(pay, stripe, settings):
    pay("order-0", amount="10")
    address, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    assert pay(amount="10").status == Status.RECEIVED
    settings.STRIPE_API_BASE = address
    pause_everything(by="finance")

    with pytest.raises(Paused):
        pay(amount="10")

    assert len(stripe.objects("payment_intents")) == 1


def test_of_many_people_who_pause_at_once_one_does(bot):
    pauses = at_once(lambda number: pause_everything(by=f"person {number}"), range(8))

    assert [pause.paused_by for pause in pauses if pause] == [Pause.objects.get().paused_by]


def test_a_bot_that_is_paused_itself_stays_paused(pay):
    Bot.objects.update(is_paused=True)
    pause_everything(by="finance")

    resume_everything(by="finance")

    with pytest.raises(Paused, match="by the bot"):
        pay(amount="10")
