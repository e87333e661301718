"""Events that come thrice, in the wrong order, early or never, while a sender is killed and recovery runs."""

from __future__ import annotations

import pytest

from tests.payments.faults.playing import KEY
from tests.payments.faults.scenarios import FAILURES, FLOWS
from tests.payments.stripe_account import use_card
from tests.payments.threads import at_once

DELIVERIES = {
    "thrice": lambda events: 3 * events,
    "newest first": lambda events: events[::-1],
    "early": lambda events: events,
    "never": lambda _: [],
}
"""By name: which events Stripe sends of those so far, and in what order."""

flows = pytest.mark.parametrize("flow", [flow for flow in FLOWS if flow != "rejected price"])


def stop_sender_before_settling(world, flow):
    """Let a sender make its calls, and stop it before it writes the outcome."""
    fields = {}
    if flow == "refund":
        world.request("amount", "charge-to-refund")
        fields = {"payment": str(world.payment("charge-to-refund")["id"])}
    if flow.startswith("declined"):
        use_card(world.stripe, "declined")
    sender = world.start_sender(flow, KEY, fields=fields, stop="before settling")
    sender.wait_until_stopped()
    return sender


def deliver(world, delivery):
    world.deliver(DELIVERIES[delivery](world.events()))


@flows
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_payment_of_a_killed_sender_ends_the_same_however_events_come_during_recovery(world, flow, delivery):
    sender = stop_sender_before_settling(world, flow)
    if delivery == "early":
        deliver(world, delivery)
    sender.kill()

    at_once(lambda act: act(), [lambda: deliver(world, delivery), world.recover])

    world.heal()
    assert world.check().violations == ()
    assert world.payment(KEY)["status"] in ({"declined", "canceled"} if flow in FAILURES else {"succeeded"})


@flows
@pytest.mark.parametrize("delivery", ["thrice", "newest first"])
def test_a_sender_that_resumes_after_the_events_returns_the_same_outcome(world, flow, delivery):
    sender = stop_sender_before_settling(world, flow)
    deliver(world, delivery)

    sender.resume()

    assert sender.response()["status"] == ("declined" if flow in FAILURES else "succeeded")
    world.heal()
    assert world.check().violations == ()
