"""Pauses: the next call is refused, what was sent is settled, billing resumes afterwards, and no pause waits."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from routing import postgres
from routing.errors import Paused, RegistryBusy
from routing.payments.ledger.models import Payment
from routing.payments.operations.balances import fetch_balance
from routing.payments.operations.checkouts import Checkout, open_checkout
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.operations.refunds import Refund, refund
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.states import Status
from routing.registry import snapshot
from routing.registry.models import Bot, Category, Domain, Pause
from routing.registry.pausing import pause_everything, resume_everything, set_paused
from routing.registry.rules import Pauses
from tests.payments.conftest import BOT
from tests.payments.ledger import recover
from tests.payments.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def _stale_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this process from checking whether the registry has changed since it was read."""
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 3600)


def pause_in_psql() -> None:
    with postgres.connection() as database:
        database.execute("INSERT INTO routing_pause (reason, paused_by, resumed_by) VALUES ('', 'psql', '')")


PARTS: dict[str, tuple[type[Domain | Category | Bot], str]] = {
    "domain": (Domain, "in the domain 'stripe'"),
    "category": (Category, "in the category 'finance'"),
    "bot": (Bot, "by the bot 'stripe:finance:finance_router_bot'"),
}
"""What can be paused beside everything, with how the refusal names it."""


def set_paused_in_psql(part: str, *, paused: bool) -> None:
    with postgres.connection() as database:
        database.execute(f"UPDATE routing_{part} SET is_paused = {paused}")  # noqa: S608 (a table of PARTS)


@contextmanager
def somebody_who_changes(statement: str) -> Iterator[None]:
    """Leave a transaction idle that has executed the statement."""
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: parameters[name] for name in names if parameters.get(name)}) as idle:
        idle.execute(statement)
        yield
        idle.rollback()


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


@pytest.mark.usefixtures("_stale_snapshot")
@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_paused_and_resumed_for_a_process_that_has_seen_neither(pay, stripe, part):
    pay("order-0", amount="10")
    set_paused_in_psql(part, paused=True)
    before = len(stripe.requests())

    with pytest.raises(Paused, match=PARTS[part][1]):
        pay(amount="10")
    assert len(stripe.requests()) == before

    set_paused_in_psql(part, paused=False)
    assert pay(amount="10").status == Status.SUCCEEDED


@pytest.mark.parametrize("part", ["everything", *PARTS])
def test_a_pause_waits_for_nobody_who_changes_the_registry(pay, part):
    with somebody_who_changes("UPDATE routing_registryhead SET stamp = gen_random_uuid(), version = version + 1"):
        began = time.monotonic()
        if part == "everything":
            pause_everything(by="finance")
        else:
            set_paused(PARTS[part][0].objects.all(), paused=True, by="finance")

        assert time.monotonic() - began < 1
        with pytest.raises(Paused):
            pay(amount="10")


@pytest.mark.parametrize("part", PARTS)
def test_a_pause_of_what_is_being_changed_says_so_within_a_second_or_two(pay, part):
    model, _ = PARTS[part]
    with somebody_who_changes(f"UPDATE routing_{part} SET is_paused = is_paused"):  # noqa: S608 (a table of PARTS)
        began = time.monotonic()
        with pytest.raises(RegistryBusy, match=r"^Somebody is changing .* right now, .* or all billing\.$"):
            set_paused(model.objects.all(), paused=True, by="finance")

        assert time.monotonic() - began < 2
    assert not model.objects.get().is_paused


def test_a_pause_makes_no_new_version_of_the_registry(bot, monkeypatch):
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 0)
    before = snapshot.current().table.stamp
    for model, _ in PARTS.values():
        set_paused(model.objects.all(), paused=True, by="finance")

    table = snapshot.current().table

    assert table.stamp == before
    assert table.pauses == Pauses(None, frozenset({"stripe"}), frozenset({"finance"}), frozenset({str(BOT)}))


@pytest.mark.parametrize("scope", ["--domain=stripe", "--category=finance", "--bot=finance:finance_router_bot"])
def test_the_commands_pause_and_resume_a_part(pay, scope, capsys):
    call_command("pause_billing", scope)
    with pytest.raises(Paused):
        pay(amount="10")
    call_command("pause_billing", scope)

    call_command("resume_billing", scope)

    assert pay(amount="10").status == Status.SUCCEEDED
    assert "was already paused." in capsys.readouterr().out


@pytest.mark.parametrize("scope", ["--domain=strip", "--category=finances", "--bot=finance:nobody"])
@pytest.mark.parametrize("command", ["pause_billing", "resume_billing"])
def test_the_commands_refuse_what_is_not_in_the_registry(bot, command, scope):
    with pytest.raises(CommandError, match=r"is not in the registry\.$"):
        call_command(command, scope)


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
