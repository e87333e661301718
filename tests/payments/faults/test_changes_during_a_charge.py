"""Routes and keys that change during a charge, and a ledger that is lost or restored to an earlier time."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from django.utils import timezone

from routing.keys import reset_keyring
from routing.payments.reconciliation import comparison
from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.stripe_api import sdk
from routing.registry.models import Route
from tests.payments.faults.playing import KEY
from tests.payments.faults.scenarios import FLOWS
from tests.payments.faults.world import A_DAY

PAYMENT_FLOWS = ("amount", "price", "subscription")


def kill_sender_in_call(world, flow):
    """Kill a sender while Stripe executes its last call."""
    call = FLOWS[flow][-1]
    method, path = call.split()
    world.stripe.control.fault("latency", method=method, path=path, seconds=0.3)
    sender = world.start_sender(flow, KEY)
    world.wait_for_call(call)
    sender.kill()
    world.wait_until_stripe_is_idle()


@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
@pytest.mark.parametrize("change", [{"price_id": "price_finance_enterprise"}, {"customer_id": "cus_other"}])
def test_a_route_that_changes_during_a_charge_does_not_change_the_charge(world, flow, change):
    world.stripe.control.seed_customer(world.stripe.account, "cus_other", card="visa")
    kill_sender_in_call(world, flow)

    Route.objects.update(**change)

    assert world.request(flow, KEY) == "still_running"
    world.heal()
    assert world.check().violations == ()
    assert [payment["status"] for payment in world.ledger.payments()] == ["succeeded"]


@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
def test_a_charge_is_settled_although_the_key_is_rotated_during_it(world, flow, monkeypatch):
    kill_sender_in_call(world, flow)
    stripe, new_key = world.stripe, "rk_live_" + secrets.token_hex(16)
    stripe.control.register_keys(stripe.account, new_key)

    monkeypatch.setenv("STRIPE_SECRET_KEY", new_key)
    reset_keyring()

    world.heal()
    assert world.check().violations == ()
    assert [payment["status"] for payment in world.ledger.payments()] == ["succeeded"]


def test_a_charge_needs_review_when_the_key_becomes_one_of_another_account(world, monkeypatch):
    kill_sender_in_call(world, "amount")
    other_key = "rk_live_" + secrets.token_hex(16)
    world.stripe.control.register_keys("acct_other", other_key)

    monkeypatch.setenv("STRIPE_SECRET_KEY", other_key)
    reset_keyring()

    world.heal()
    verdict = world.check()
    assert (verdict.violations, verdict.left_open) == ((), 1)


@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
def test_a_retry_after_the_ledger_is_lost_charges_nobody_twice(world, flow):
    empty = world.ledger.dump()
    world.request(flow, KEY)

    world.ledger.restore(empty)

    assert world.request(flow, KEY) == "succeeded"
    assert world.check().violations == ()


@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
@pytest.mark.parametrize("since", [None, timedelta(days=30)])
def test_a_lost_payment_of_days_ago_is_reported_and_not_charged_again(world, flow, since, monkeypatch):
    monkeypatch.setattr(comparison, "IN_FLIGHT", timedelta(days=-5))
    monkeypatch.setattr(sdk, "RESPONSE_SECONDS", 30.0)
    empty = world.ledger.dump()
    world.request(flow, KEY)
    before = {resource: world.stripe.objects(resource) for resource in ("payment_intents", "subscriptions")}
    world.ledger.restore(empty)
    world.stripe.control.advance_clock(3 * A_DAY)

    reconcile(Side.PAYMENTS, since=timezone.now() - since if since else None)
    retried = world.request(flow, KEY)

    assert retried == "lost_payment"
    assert world.request(flow, "another-order") == "succeeded"
    assert all(len(world.stripe.objects(resource)) <= len(found) + 1 for resource, found in before.items())
    assert [row["kind"] for row in world.ledger.rows("SELECT kind FROM routing_discrepancy")] == ["bypass"]


def test_a_lost_payment_whose_route_has_changed_needs_review(world):
    empty = world.ledger.dump()
    world.request("amount", KEY)
    world.ledger.restore(empty)
    Route.objects.update(price_id="price_finance_enterprise")

    retried = world.request("amount", KEY)

    verdict = world.check()
    assert (retried, verdict.violations, verdict.left_open) == ("needs_review", (), 1)


@pytest.mark.parametrize("flow", PAYMENT_FLOWS)
@pytest.mark.parametrize("seconds", [1, A_DAY])
def test_a_ledger_restored_to_when_the_charge_was_sent_finds_it(world, flow, seconds):
    sender = world.start_sender(flow, KEY, stop="before settling")
    sender.wait_until_stopped()
    backup = world.ledger.dump()
    sender.resume()
    sender.response()

    world.ledger.restore(backup)
    world.pass_time(seconds)

    world.heal()
    assert [payment["status"] for payment in world.ledger.payments()] == ["succeeded"]
    assert world.check().violations == ()
