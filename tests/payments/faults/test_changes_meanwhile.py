"""Routes and keys that change in mid-charge, and a ledger that is lost or restored to an earlier time."""

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

PAID_FOR = ("amount", "price", "subscription")


def killed_in_call(world, flow):
    """Kill a sender while its last call is carried out at Stripe."""
    call = FLOWS[flow][-1]
    method, path = call.split()
    world.stripe.control.fault("latency", method=method, path=path, seconds=0.3)
    sender = world.send(flow, KEY)
    world.wait_for_call(call)
    sender.kill()
    world.wait_until_stripe_is_idle()


@pytest.mark.parametrize("flow", PAID_FOR)
@pytest.mark.parametrize("change", [{"price_id": "price_finance_enterprise"}, {"customer_id": "cus_other"}])
def test_a_route_that_changes_in_mid_charge_does_not_change_the_charge(world, flow, change):
    world.stripe.control.seed_customer(world.stripe.account, "cus_other", card="visa")
    killed_in_call(world, flow)

    Route.objects.update(**change)

    assert world.ask(flow, KEY) == "still_running"
    world.heal()
    assert world.judged().violations == ()
    assert [payment["status"] for payment in world.ledger.payments()] == ["succeeded"]


@pytest.mark.parametrize("flow", PAID_FOR)
def test_a_key_that_is_rotated_in_mid_charge_settles_the_charge(world, flow, monkeypatch):
    killed_in_call(world, flow)
    stripe, new_key = world.stripe, "rk_live_" + secrets.token_hex(16)
    stripe.control.register_keys(stripe.account, new_key)

    monkeypatch.setenv("STRIPE_SECRET_KEY", new_key)
    reset_keyring()

    world.heal()
    assert world.judged().violations == ()
    assert [payment["status"] for payment in world.ledger.payments()] == ["succeeded"]


def test_a_key_of_another_account_in_mid_charge_leaves_the_charge_to_a_person(world, monkeypatch):
    killed_in_call(world, "amount")
    other_key = "rk_live_" + secrets.token_hex(16)
    world.stripe.control.register_keys("acct_other", other_key)

    monkeypatch.setenv("STRIPE_SECRET_KEY", other_key)
    reset_keyring()

    world.heal()
    verdict = world.judged()
    assert (verdict.violations, verdict.left_for_a_person) == ((), 1)


@pytest.mark.parametrize("flow", PAID_FOR)
def test_a_ledger_that_is_lost_charges_nobody_again(world, flow):
    empty = world.ledger.copied()
    world.ask(flow, KEY)

    world.ledger.restore(empty)

    assert world.ask(flow, KEY) == "succeeded"
    assert world.judged().violations == ()


@pytest.mark.parametrize("flow", PAID_FOR)
@pytest.mark.parametrize("since", [None, timedelta(days=30)])
def test_what_a_lost_ledger_has_charged_days_ago_is_reported_and_not_charged_again(world, flow, since, monkeypatch):
    monkeypatch.setattr(comparison, "IN_FLIGHT", timedelta(days=-5))
    monkeypatch.setattr(sdk, "RESPONSE_SECONDS", 30.0)
    empty = world.ledger.copied()
    world.ask(flow, KEY)
    made = {path: world.stripe.objects(path) for path in ("payment_intents", "subscriptions")}
    world.ledger.restore(empty)
    world.stripe.control.advance_clock(3 * A_DAY)

    reconcile(Side.PAYMENTS, since=timezone.now() - since if since else None)
    told = world.ask(flow, KEY)

    assert told == "lost_payment"
    assert world.ask(flow, "another-order") == "succeeded"
    assert all(len(world.stripe.objects(path)) <= len(found) + 1 for path, found in made.items())
    assert [each["kind"] for each in world.ledger.rows("SELECT kind FROM routing_discrepancy")] == ["bypass"]


def test_a_ledger_that_is_lost_and_a_route_that_changed_leave_the_charge_to_a_person(world):
    empty = world.ledger.copied()
    world.ask("amount", KEY)
    world.ledger.restore(empty)
    Route.objects.update(price_id="price_finance_enterprise")

    told = world.ask("amount", KEY)

    verdict = world.judged()
    assert (told, verdict.violations, verdict.left_for_a_person) == ("needs_review", (), 1)


@pytest.mark.parametrize("flow", PAID_FOR)
@pytest.mark.parametrize("later", [0, A_DAY])
def test_a_ledger_restored_to_when_the_charge_was_sent_finds_it(world, flow, later):
    sender = world.send(flow, KEY, stop="before settling")
    sender.wait_until_it_stops()
    as_it_was_sent = world.ledger.copied()
    sender.wake()
    sender.answer()

    world.ledger.restore(as_it_was_sent)
    world.pass_time(later or 1)

    world.heal()
    assert [payment["status"] for payment in world.ledger.payments()] == ["succeeded"]
    assert world.judged().violations == ()
