"""What Stripe tells, thrice, in the wrong order, early or never, while a sender is killed and recovery runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from tests.payments.faults.playing import KEY
from tests.payments.faults.scenarios import FAILURES, FLOWS

if TYPE_CHECKING:
    from collections.abc import Callable

GIVEN_BACK = "charge-that-is-given-back"


COME = {
    "thrice": lambda events: 3 * events,
    "newest first": lambda events: events[::-1],
    "early": lambda events: events,
    "never": lambda _: [],
}
"""By name: the order in which Stripe sends what has happened."""


def stopped_before_settling(world, flow):
    """Let a sender make its calls, and stop it before it writes what came of them."""
    words = {}
    if flow == "refund":
        world.ask("amount", GIVEN_BACK)
        words = {"payment": str(world.payment(GIVEN_BACK)["id"])}
    if flow.startswith("declined"):
        world.use_card("declined")
    sender = world.send(flow, KEY, words=words, stop="before settling")
    sender.wait_until_it_stops()
    return sender


def at_once(*acts: Callable[[], None]) -> None:
    def alone(act):
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        for done in [threads.submit(alone, act) for act in acts]:
            done.result()


flows = pytest.mark.parametrize("flow", [flow for flow in FLOWS if flow != "rejected price"])


@flows
@pytest.mark.parametrize("come", COME)
def test_however_events_come_beside_recovery_a_killed_senders_payment_ends_the_same(world, flow, come):
    sender = stopped_before_settling(world, flow)
    if come == "early":
        world.tell(COME[come](world.happened()))
    sender.kill()

    at_once(lambda: world.tell(COME[come](world.happened())), world.recover)

    world.heal()
    assert world.judged().violations == ()
    assert world.payment(KEY)["status"] in ({"declined", "canceled"} if flow in FAILURES else {"succeeded"})


@flows
@pytest.mark.parametrize("come", ["thrice", "newest first"])
def test_a_sender_that_wakes_when_stripe_has_told_says_the_same(world, flow, come):
    sender = stopped_before_settling(world, flow)
    world.tell(COME[come](world.happened()))

    sender.wake()

    assert sender.answer()["status"] == ("declined" if flow in FAILURES else "succeeded")
    world.heal()
    assert world.judged().violations == ()
