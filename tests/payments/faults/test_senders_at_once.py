"""Many senders on one key, senders that wake too late, and recovery beside a bot that comes again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from routing.payments.settlement.recovery import settle_open
from routing.payments.stripe_api import sdk
from tests.payments.faults.playing import HOLD_T1, KEY, T1
from tests.payments.faults.senders import until
from tests.payments.faults.world import A_DAY

MANY = 24
INTENTS = "/v1/payment_intents"


def send_at_the_same_moment(world, orders):
    """Let every sender come up to writing its reservation before the first may write it."""
    with world.ledger.held(HOLD_T1):
        senders = [world.send("amount", key, words=words) for key, words in orders]
        until(lambda: world.ledger.waiting(T1) == len(senders), "Every sender's reservation")
    return [sender.answer() for sender in senders]


def test_many_processes_with_one_key_charge_once(world):
    world.stripe.control.fault("latency", path=INTENTS, seconds=0.3)

    answers = send_at_the_same_moment(world, [(KEY, {})] * MANY)

    world.heal()
    assert {answer.get("error", answer.get("status")) for answer in answers} <= {"succeeded", "still_running"}
    assert len(world.stripe.objects("payment_intents")) == 1
    assert world.judged().violations == ()


def test_one_key_with_two_bodies_is_one_charge_and_the_other_body_is_refused(world):
    answers = send_at_the_same_moment(world, [(KEY, {"amount": amount}) for amount in ("10", "11")] * (MANY // 2))

    world.heal()
    assert sum(answer.get("error") == "idempotency_conflict" for answer in answers) == MANY // 2
    assert len(world.stripe.objects("payment_intents")) == 1
    assert world.judged().violations == ()


def test_many_processes_do_not_exceed_a_cap(world):
    world.ledger.rows("UPDATE routing_cap SET \"limit\" = 10000 WHERE measure = 'gross' RETURNING id")
    world.stripe.control.fault("reset_after", path=INTENTS, count=5)

    answers = send_at_the_same_moment(world, [(f"order-{number}", {}) for number in range(MANY)])

    world.heal()
    assert sum(answer.get("error") == "cap_exceeded" for answer in answers) == MANY - 10
    assert len(world.stripe.objects("payment_intents")) == 10
    assert world.judged().violations == ()


@pytest.mark.parametrize("stop", ["before the call", "after the call", "before settling"])
@pytest.mark.parametrize("flow", ["amount", "price"])
def test_a_sender_that_wakes_after_its_lease_changes_nothing(world, flow, stop):
    sender = world.send(flow, KEY, stop=stop)
    sender.wait_until_it_stops()
    world.recover()

    sender.wake()

    assert sender.answer()["status"] == "succeeded"
    world.heal()
    assert world.judged().violations == ()


def test_a_sender_that_is_stopped_in_its_call_and_wakes_after_its_lease_changes_nothing(world):
    world.stripe.control.fault("latency", path=INTENTS, seconds=0.3)
    sender = world.send("amount", KEY)
    world.wait_for_call(f"POST {INTENTS}")
    sender.freeze()
    world.wait_until_stripe_is_idle()
    world.recover()

    sender.wake()

    assert sender.answer()["status"] == "succeeded"
    assert world.judged().violations == ()


@pytest.mark.parametrize("stop", ["held", "before the call"])
def test_a_sender_that_wakes_when_its_payment_was_canceled_sends_nothing(world, stop):
    sender = world.send("amount", KEY, stop=stop, lease_seconds=0.01)
    sender.wait_until_it_stops()
    world.pass_time(A_DAY)
    world.heal()

    sender.wake()

    assert sender.answer()["status"] == "canceled"
    assert world.stripe.objects("payment_intents") == []
    assert world.judged().violations == ()


def test_a_recoverer_that_wakes_when_stripe_has_forgotten_the_key_sends_nothing(world):
    world.stripe.control.fault("reset_after", path=INTENTS)
    world.ask("amount", KEY)
    world.ledger.let_leases_end()
    recoverer = world.send("recover", KEY, stop="held", lease_seconds=0.001)
    recoverer.wait_until_it_stops()
    world.pass_time(A_DAY)
    world.heal()

    recoverer.wake()

    assert recoverer.answer()["status"] == "recovered"
    assert len(world.stripe.objects("payment_intents")) == 1
    assert world.judged().violations == ()


@pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
def test_two_recoverers_and_a_bot_that_comes_again_make_one_charge(world, fault):
    keys = [f"order-{number}" for number in range(4)]
    world.stripe.control.fault(fault, path=INTENTS, count=len(keys))
    for key in keys:
        world.ask("amount", key)
    world.ledger.let_leases_end()
    together = threading.Barrier(2 + len(keys))

    def at_once(act, *args: str):
        together.wait()
        try:
            act(*args)
        finally:
            connection.close()

    with ThreadPoolExecutor(2 + len(keys)) as threads:
        acts = [(settle_open,), (settle_open,), *((world.ask, "amount", key) for key in keys)]
        for future in [threads.submit(at_once, *act) for act in acts]:
            future.result()

    world.heal()
    assert len(world.stripe.objects("payment_intents")) == len(keys)
    assert world.judged().violations == ()


@pytest.mark.parametrize("flow", ["amount", "refund"])
def test_no_connection_is_held_while_stripe_is_called(world, flow, monkeypatch):
    monkeypatch.setattr(sdk, "RESPONSE_SECONDS", 30.0)
    more_than_the_pool = 20
    words = {}
    if flow == "refund":
        world.ask("amount", KEY)
        words = {"payment": str(world.ledger.payments()[0]["id"]), "amount": "0.10"}
    path = {"amount": INTENTS, "refund": "/v1/refunds"}[flow]
    world.stripe.control.fault("latency", path=path, seconds=2, count=None)

    def ask(number):
        try:
            return world.ask(flow, f"at-once-{number}", **words)
        finally:
            connection.close()

    with ThreadPoolExecutor(more_than_the_pool) as threads:
        asked = [threads.submit(ask, number) for number in range(more_than_the_pool)]
        until(lambda: world.running_calls(f"POST {path}") == more_than_the_pool or asked[0].done(), "Every call")
        at_stripe = world.running_calls(f"POST {path}")
        in_transactions = world.ledger.rows(
            "SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' AND datname = current_database()"
        )

    assert (at_stripe, in_transactions) == (more_than_the_pool, [])
    assert {each.result() for each in asked} == {"succeeded"}
