"""Many senders of one key, senders that resume too late, and recovery while a bot retries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from routing.payments.execution import exactly_once
from routing.payments.ledger import statements
from routing.payments.settlement.recovery import settle_open
from routing.payments.stripe_api import sdk
from tests.payments.faults.playing import KEY, LOCK_BEFORE_RESERVE, RESERVE
from tests.payments.faults.world import A_DAY
from tests.payments.threads import at_once, closing_connection, until

MANY = 24
INTENTS = "/v1/payment_intents"


def send_at_once(world, orders):
    """Start a sender for each order, and let none reserve before all are about to; return their responses."""
    with world.ledger.locked(LOCK_BEFORE_RESERVE):
        senders = [world.start_sender("amount", key, fields=fields, response_seconds=30.0) for key, fields in orders]
        until(lambda: world.ledger.count_waiting(RESERVE) == len(senders), "Every reservation")
    return [sender.response() for sender in senders]


def test_many_processes_with_one_key_charge_once(world):
    world.stripe.control.fault("latency", path=INTENTS, seconds=0.3)

    responses = send_at_once(world, [(KEY, {})] * MANY)

    world.heal()
    outcomes = {response.get("error", response.get("status")) for response in responses}
    assert outcomes <= {"succeeded", "still_running"}
    assert len(world.stripe.objects("payment_intents")) == 1
    assert world.check().violations == ()


def test_one_key_with_two_bodies_is_one_charge_and_the_other_body_is_refused(world):
    responses = send_at_once(world, [(KEY, {"amount": amount}) for amount in ("10", "11")] * (MANY // 2))

    world.heal()
    assert sum(response.get("error") == "idempotency_conflict" for response in responses) == MANY // 2
    assert len(world.stripe.objects("payment_intents")) == 1
    assert world.check().violations == ()


def test_many_processes_do_not_exceed_a_cap(world):
    world.ledger.rows("UPDATE routing_cap SET \"limit\" = 10000 WHERE measure = 'gross' RETURNING id")
    world.stripe.control.fault("reset_after", path=INTENTS, count=5)

    responses = send_at_once(world, [(f"order-{number}", {}) for number in range(MANY)])

    world.heal()
    assert sum(response.get("error") == "cap_exceeded" for response in responses) == MANY - 10
    assert len(world.stripe.objects("payment_intents")) == 10
    assert world.check().violations == ()


@pytest.mark.parametrize("stop", ["before the call", "after the call", "before settling"])
@pytest.mark.parametrize("flow", ["amount", "price"])
def test_a_sender_that_resumes_after_its_lease_changes_nothing(world, flow, stop):
    sender = world.start_sender(flow, KEY, stop=stop)
    sender.wait_until_stopped()
    world.recover()

    sender.resume()

    assert sender.response()["status"] == "succeeded"
    world.heal()
    assert world.check().violations == ()


def test_a_sender_that_is_suspended_in_its_call_and_resumes_after_its_lease_changes_nothing(world):
    world.stripe.control.fault("latency", path=INTENTS, seconds=0.3)
    sender = world.start_sender("amount", KEY)
    world.wait_for_call(f"POST {INTENTS}")
    sender.suspend()
    world.wait_until_stripe_is_idle()
    world.recover()

    sender.resume()

    assert sender.response()["status"] == "succeeded"
    assert world.check().violations == ()


@pytest.mark.parametrize("stop", ["leased", "before the call"])
def test_a_sender_that_resumes_when_its_payment_was_canceled_sends_nothing(world, stop):
    sender = world.start_sender("amount", KEY, stop=stop, lease_seconds=0.01)
    sender.wait_until_stopped()
    world.pass_time(A_DAY)
    world.heal()

    sender.resume()

    assert sender.response()["status"] == "canceled"
    assert world.stripe.objects("payment_intents") == []
    assert world.check().violations == ()


def test_a_recovery_that_resumes_when_stripe_has_forgotten_the_key_sends_nothing(world):
    world.stripe.control.fault("reset_after", path=INTENTS)
    world.request("amount", KEY)
    world.ledger.end_leases()
    recovery = world.start_sender("recover", KEY, stop="leased", lease_seconds=0.001)
    recovery.wait_until_stopped()
    world.pass_time(A_DAY)
    world.heal()

    recovery.resume()

    assert recovery.response()["status"] == "recovered"
    assert len(world.stripe.objects("payment_intents")) == 1
    assert world.check().violations == ()


@pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
def test_two_recoveries_and_a_retry_at_once_make_one_charge(world, fault):
    keys = [f"order-{number}" for number in range(4)]
    world.stripe.control.fault(fault, path=INTENTS, count=len(keys))
    for key in keys:
        world.request("amount", key)
    world.ledger.end_leases()

    at_once(lambda act: act(), [settle_open, settle_open, *(partial(world.request, "amount", key) for key in keys)])

    world.heal()
    assert len(world.stripe.objects("payment_intents")) == len(keys)
    assert world.check().violations == ()


def test_a_retry_that_other_senders_overtake_again_and_again_ends_as_still_running(world, monkeypatch):
    world.stripe.control.fault("status", status=429, path=INTENTS, count=None)
    assert world.request("amount", KEY) == "received"
    resume, others = statements.resume, []

    def resume_after_another_sender(payment):
        assert len(others) < 10, "A retry must give up."
        other = world.start_sender("amount", KEY, stop="before settling")
        other.wait_until_stopped()
        leased = resume(payment)
        other.resume()
        others.append((leased, other.response()["status"]))
        return leased

    with monkeypatch.context() as patch:
        patch.setattr(statements, "resume", resume_after_another_sender)
        assert world.request("amount", KEY) == "still_running"

    assert others == [(None, "received")] * exactly_once._MAX_RESUMES
    assert len(world.stripe.control.requests(method="POST", path=INTENTS)) == 1 + len(others)
    world.stripe.control.clear_faults()
    assert world.request("amount", KEY) == "succeeded"
    assert world.check().violations == ()


@pytest.mark.parametrize("flow", ["amount", "refund"])
def test_no_connection_is_held_while_stripe_is_called(world, flow, monkeypatch):
    monkeypatch.setattr(sdk, "RESPONSE_SECONDS", 30.0)
    more_than_the_pool = 20
    fields = {}
    if flow == "refund":
        world.request("amount", KEY)
        fields = {"payment": str(world.ledger.payments()[0]["id"]), "amount": "0.10"}
    path = {"amount": INTENTS, "refund": "/v1/refunds"}[flow]
    world.stripe.control.fault("latency", path=path, seconds=2, count=None)
    request = closing_connection(world.request)

    with ThreadPoolExecutor(more_than_the_pool) as threads:
        requests = [
            threads.submit(request, flow, f"at-once-{number}", **fields) for number in range(more_than_the_pool)
        ]
        until(lambda: world.count_running(f"POST {path}") == more_than_the_pool or requests[0].done(), "Every call")
        at_stripe = world.count_running(f"POST {path}")
        in_transactions = world.ledger.rows(
            "SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' AND datname = current_database()"
        )

    assert (at_stripe, in_transactions) == (more_than_the_pool, [])
    assert {request.result() for request in requests} == {"succeeded"}
