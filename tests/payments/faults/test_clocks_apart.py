"""Stripe's clock an hour ahead of the database's, or an hour behind it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.settlement import recovery
from routing.payments.webhooks import backfill
from tests.payments.faults.playing import KEY
from tests.payments.faults.scenarios import FLOWS
from tests.payments.faults.world import A_DAY

AN_HOUR = 3600
PAID_FOR = ("amount", "price", "subscription")

apart = pytest.mark.parametrize("apart", [AN_HOUR, -AN_HOUR], ids=["ahead", "behind"])


def struck(world, flow, fault):
    """Ask, and let the last call that makes it be struck."""
    method, path = FLOWS[flow][-1].split()
    world.stripe.control.fault(fault, method=method, path=path)
    assert world.ask(flow, KEY) == "unknown"


def long_ago(world, apart, age, act):
    """Let it happen ``age`` seconds ago: by the ledger's clock, and by Stripe's, which is ``apart`` from that."""
    world.stripe.control.advance_clock(apart - age)
    act()
    world.stripe.control.advance_clock(age)
    world.ledger.pass_time(age)


@apart
@pytest.mark.parametrize("age", [22 * AN_HOUR, A_DAY], ids=["sent again", "searched for"])
@pytest.mark.parametrize("flow", PAID_FOR)
def test_a_charge_that_nobody_heard_of_is_found(world, monkeypatch, flow, age, apart):
    monkeypatch.setattr(recovery, "_CLOCK_MARGIN", timedelta(hours=26))
    long_ago(world, apart, age, lambda: struck(world, flow, "reset_after"))

    world.recover()

    assert world.payment(KEY)["status"] == "succeeded"
    assert world.judged().violations == ()


@apart
@pytest.mark.parametrize("flow", PAID_FOR)
def test_a_clock_that_is_set_in_between_makes_no_second_charge(world, flow, apart):
    struck(world, flow, "reset_after")
    world.pass_time(23 * AN_HOUR - 60)

    world.stripe.control.advance_clock(apart)

    world.recover()
    assert world.payment(KEY)["status"] == "succeeded"
    assert world.judged().violations == ()


@apart
def test_a_charge_that_was_never_made_is_canceled_after_two_searches(world, apart):
    long_ago(world, apart, A_DAY, lambda: struck(world, "amount", "reset_before"))

    world.heal()

    assert world.payment(KEY)["status"] == "canceled"
    assert world.judged().violations == ()


@apart
@pytest.mark.parametrize("flow", PAID_FOR)
def test_events_are_fetched_and_the_books_agree(world, flow, apart):
    world.stripe.control.advance_clock(apart)
    struck(world, flow, "reset_after")

    backfill.backfill()
    world.tell([])
    [reconciled] = reconcile(Side.PAYMENTS)

    assert world.payment(KEY)["status"] == "succeeded"
    assert reconciled.problem == ""
    assert world.judged().violations == ()
