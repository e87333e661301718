"""A run starts where the last one ended, and a domain that cannot be compared stops no other."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models.functions import Now
from django.utils import timezone

from routing import jobs
from routing.identifiers import BotId
from routing.keys import reset_keyring
from routing.payments.ledger.models import Payment
from routing.payments.reconciliation import runs
from routing.payments.reconciliation.models import ReconciliationCursor
from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.settlement import discrepancies
from routing.payments.settlement.models import Discrepancy
from routing.postgres.queries import database_time
from routing.registry import snapshot
from routing.registry.models import Bot, Domain, Route
from tests.payments.ledger import without_triggers
from tests.payments.reconciliation.bypass import bypass_router

LISTS = ("/v1/invoices", "/v1/payment_intents")


def set_cursor(ago: timedelta) -> datetime:
    start = timezone.now() - ago
    ReconciliationCursor.objects.create(domain="stripe", starts_at=start, payments_until=start, balance_until=start)
    return start


def count_lists(stripe) -> int:
    """Return how many count_lists have been read."""
    return sum(len(stripe.requests("GET", path)) for path in LISTS)


def run_command(*arguments: str) -> str:
    """Return what the command prints."""
    output = StringIO()
    call_command("reconcile", *arguments, stdout=output)
    return output.getvalue()


def run_failing_command(*arguments: str) -> tuple[str, str]:
    """Return what the command prints, and the error with which it ends."""
    output = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("reconcile", *arguments, stdout=output)
    return output.getvalue(), str(caught.value)


def test_a_run_that_stripe_rate_limits_is_continued_from_its_cursor(bot, stripe):
    start = set_cursor(timedelta(hours=8))
    stripe.control.fault("status", status=429, path="/v1/payment_intents", nth=3, count=1)

    [stopped] = reconcile(Side.PAYMENTS)
    reached = ReconciliationCursor.objects.get().payments_until
    before = count_lists(stripe)
    [finished] = reconcile(Side.PAYMENTS)

    assert "/v1/payment_intents" in stopped.problem
    assert start + timedelta(hours=5) <= reached < start + timedelta(hours=5, minutes=1)
    assert finished.problem == ""
    assert before == 3 + 2
    assert count_lists(stripe) - before == 2 * 3
    assert timezone.now() - ReconciliationCursor.objects.get().payments_until < timedelta(minutes=1)


def test_an_object_that_stripe_does_not_return_stops_the_cursor_and_nothing_else(pay, stripe):
    unreadable, fine = pay("order-1", amount="10"), pay("order-2", amount="10")
    with without_triggers():
        Payment.objects.update(created_at=Now() - timedelta(hours=3), settled_at=Now() - timedelta(hours=3))
    set_cursor(timedelta(hours=4))
    before = ReconciliationCursor.objects.get().payments_until
    path = f"/v1/payment_intents/{unreadable.payment_intent_id}"
    stripe.control.fault("status", status=500, path=path, count=None)
    bypass = bypass_router(stripe)

    [result] = reconcile(Side.PAYMENTS)
    [again] = reconcile(Side.PAYMENTS)

    assert path in result.problem
    assert path in again.problem
    assert stripe.requests("GET", f"/v1/payment_intents/{fine.payment_intent_id}")
    assert list(Discrepancy.objects.values_list("stripe_id", flat=True)) == [bypass.id]
    assert ReconciliationCursor.objects.get().payments_until - before < timedelta(hours=2)
    stripe.control.clear_faults()
    assert [result.problem for result in reconcile(Side.PAYMENTS)] == [""]
    assert timezone.now() - ReconciliationCursor.objects.get().payments_until < timedelta(minutes=1)


def test_the_next_run_reads_little_more_than_what_is_new(bot, stripe):
    set_cursor(timedelta(hours=8))
    reconcile(Side.PAYMENTS)
    before = count_lists(stripe)

    reconcile(Side.PAYMENTS)

    assert count_lists(stripe) - before == 4


def test_since_reads_further_back_and_never_moves_the_cursor_back(bot, stripe):
    set_cursor(timedelta(minutes=1))
    reconcile(Side.PAYMENTS)
    reached = ReconciliationCursor.objects.get().payments_until
    before = count_lists(stripe)

    reconcile(Side.PAYMENTS, since=timezone.now() - timedelta(hours=5))

    assert count_lists(stripe) - before == 2 * 3
    assert ReconciliationCursor.objects.get().payments_until >= reached


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
def test_no_bypass_is_missed_while_the_clocks_are_an_hour_apart(pay, stripe, ahead):
    domain = snapshot.current().table.domains["stripe"]
    pay(amount="10")
    runs._of_domain(domain, (Side.PAYMENTS,), None, timezone.now() + ahead)
    intent = bypass_router(stripe)

    runs._of_domain(domain, (Side.PAYMENTS,), None, timezone.now() + ahead)

    assert Discrepancy.objects.get().stripe_id == intent.id


def test_the_jobs_compare_both_sides(pay, stripe):
    payment = pay(amount="10")
    intent = bypass_router(stripe)
    refund = stripe.client.refunds.create({"payment_intent": payment.payment_intent_id})

    jobs.reconcile_payments(timestamp=0)
    jobs.reconcile_balance(timestamp=0)

    assert set(Discrepancy.objects.values_list("stripe_id", flat=True)) == {intent.id, refund.id}


def test_a_domain_without_its_key_is_reported_and_stops_no_other(pay, stripe, monkeypatch):
    Domain.objects.create(slug="another")
    pay(amount="10")
    intent = bypass_router(stripe)

    output, error = run_failing_command()

    assert "The comparison of another did not finish" in error
    assert "STRIPE_SECRET_KEY__ANOTHER" in error
    assert intent.id in output


def test_two_domains_are_each_compared_with_their_own_account(bot, pay, stripe, monkeypatch):
    key, account = "rk_live_" + secrets.token_hex(16), "acct_" + secrets.token_hex(8)
    stripe.control.register_keys(account, key)
    stripe.control.seed_customer(account, "cus_other")
    monkeypatch.setenv("STRIPE_SECRET_KEY__ANOTHER", key)
    reset_keyring()
    other = Bot.objects.create(domain=Domain.objects.create(slug="another"), category=bot.category, name="other_bot")
    route = Route.objects.filter(bot=bot, region__slug="default").get()
    Route.objects.create(
        bot=other, region=route.region, product_id="prod_x", price_id="price_x", customer_id="cus_other"
    )
    pay(amount="10")
    pay(bot=BotId.parse("another:finance:other_bot"), amount="10")

    lines = run_command().splitlines()

    assert [line.split()[:3] for line in lines[1:3]] == [["another", "2", "2"], ["stripe", "2", "2"]]


def test_the_command_succeeds_only_while_nothing_is_open(pay, stripe):
    pay(amount="10")

    assert "The ledger and Stripe agree." in run_command()

    intent = bypass_router(stripe)
    output, error = run_failing_command()

    assert "1 bypass" in output
    assert intent.id in output
    assert "42.00 USD" in output
    assert "To do: Find out who made it" in output
    assert "Open discrepancies: 1" in error

    discrepancies.clear(Discrepancy.objects.get(), by="ada", remark="Refunded.")

    assert "The ledger and Stripe agree." in run_command()


def test_the_command_fails_while_stripe_cannot_be_compared_to_the_end(bot, stripe):
    stripe.control.fault("status", status=429, path="/v1/balance_transactions")

    _, error = run_failing_command()

    assert "The next run goes on from where this one stopped." in error


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01"])
def test_a_since_that_is_not_a_time_is_refused(db, since):
    with pytest.raises(CommandError, match="is not a day or a time"):
        call_command("reconcile", "--since", since)


def test_a_since_without_a_zone_is_utc(bot, stripe):
    set_cursor(timedelta(minutes=1))
    day = datetime.now(UTC).date() - timedelta(days=1)

    run_command("--since", day.isoformat())

    first = stripe.requests("GET", "/v1/payment_intents")[0]["params"]["created"]["gte"]
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert int(first) == int((midnight - timedelta(minutes=75)).timestamp())


def test_every_balance_transaction_is_compared(pay):
    pay("amount", amount="10")
    pay("price")
    time.sleep(1)  # Stripe's times are whole seconds; the transactions of this second are the next run's to sum up

    [result] = reconcile(Side.BALANCE)
    [again] = reconcile(Side.BALANCE)

    assert result.tally.total() == 2
    assert dict(result.money) == {("usd", "charge"): 3500, ("usd", "fees"): 0}
    assert again.money == {}
    assert not Discrepancy.objects.exists()


def test_a_refund_that_was_made_around_the_router_is_a_bypass(pay, stripe):
    payment = pay(amount="10")
    refund = stripe.client.refunds.create({"payment_intent": payment.payment_intent_id, "amount": 400})
    time.sleep(1)

    output, _ = run_failing_command()

    assert Discrepancy.objects.get().stripe_id == refund.id
    assert "charge 10.00" in output
    assert "refund -4.00" in output


def test_a_refund_with_a_copied_payment_id_is_a_bypass_too(pay, stripe):
    payment = pay(amount="10")
    metadata = {"payment_id": str(payment.id)}
    refund = stripe.client.refunds.create(
        {"payment_intent": payment.payment_intent_id, "amount": 400, "metadata": metadata}
    )

    reconcile(Side.BALANCE)

    assert Discrepancy.objects.get().stripe_id == refund.id


def test_a_bypass_is_one_discrepancy_on_both_sides(pay, stripe):
    pay(amount="10")
    intent = bypass_router(stripe)

    reconcile(*Side)

    assert Discrepancy.objects.get().stripe_id == intent.id


def test_a_run_goes_by_the_databases_clock_and_not_by_a_snapshots_that_is_ahead(pay, stripe, monkeypatch):
    pay()
    current = snapshot.current()
    ahead = replace(current, database_time=current.database_time + timedelta(hours=1))
    monkeypatch.setattr(snapshot, "_snapshot", ahead)
    monkeypatch.setattr(snapshot, "_checked_at", float("inf"))

    reconcile(Side.PAYMENTS)

    assert ReconciliationCursor.objects.get().payments_until <= database_time()
