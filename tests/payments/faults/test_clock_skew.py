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
PAYMENT_FLOWS = ("amount", "price", "subscription")

skews = pytest.mark.parametrize("skew", [AN_HOUR, -AN_HOUR], ids=["ahead", "behind"])


def request_with_fault(world, flow, fault):
    """Send the request, with a fault in the last of its calls."""
    method, path = FLOWS[flow][-1].split()
    world.stripe.control.fault(fault, method=method, path=path)
    assert world.request(flow, KEY) == "unknown"


def request_long_ago(world, skew, age, flow, fault):
    """Send the request ``age`` seconds ago by the ledger's clock; Stripe's differs from that by ``skew``."""
    world.stripe.control.advance_clock(skew - age)
    request_with_fault(world, flow, fault)
    world.stripe.control.advance_clock(age)
    world.ledger.pass_time(age)


@skews
@pytest.mark.parametrize("age", [22 * AN_HOUR, A_DAY], ids=["resent", "searched for"])
@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
def test_a_payment_whose_response_was_lost_is_found(world, monkeypatch, flow, age, skew):
    monkeypatch.setattr(recovery, "_CLOCK_MARGIN", timedelta(hours=26))
    request_long_ago(world, skew, age, flow, "reset_after")

    world.recover()

    assert world.payment(KEY)["status"] == "succeeded"
    assert world.check().violations == ()


@skews
@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
def test_a_clock_that_is_adjusted_in_between_makes_no_second_charge(world, flow, skew):
    request_with_fault(world, flow, "reset_after")
    world.pass_time(23 * AN_HOUR - 60)

    world.stripe.control.advance_clock(skew)

    world.recover()
    assert world.payment(KEY)["status"] == "succeeded"
    assert world.check().violations == ()


@skews
def test_a_charge_that_was_never_made_is_canceled_after_two_searches(world, skew):
    request_long_ago(world, skew, A_DAY, "amount", "reset_before")

    world.heal()

    assert world.payment(KEY)["status"] == "canceled"
    assert world.check().violations == ()


@skews
@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
def test_events_are_backfilled_and_reconciliation_agrees(world, flow, skew):
    world.stripe.control.advance_clock(skew)
    request_with_fault(world, flow, "reset_after")

    backfill.backfill()
    world.deliver([])
    [reconciled] = reconcile(Side.PAYMENTS)

    assert world.payment(KEY)["status"] == "succeeded"
    assert reconciled.problem == ""
    assert world.check().violations == ()
