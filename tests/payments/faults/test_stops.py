"""A stop at each step of a payment: what Stripe has not made by then, it never makes."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from routing.registry import snapshot
from routing.registry.models import Bot, Domain, Override, Route
from routing.registry.pausing import pause_everything, set_paused
from tests.payments.faults.invariants import movements
from tests.payments.faults.playing import KEY, prepare, send
from tests.payments.faults.scenarios import CRASHES, FAILURES, FLOWS, RECOVERIES, Scenario
from tests.payments.faults.world import A_DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.payments.faults.senders import Sender
    from tests.payments.faults.world import World


def _end_the_routes() -> None:
    Route.objects.update(valid_until=timezone.now())
    Override.objects.update(valid_until=timezone.now())


STOPS: dict[str, Callable[[], Any]] = {
    "all billing is paused": lambda: pause_everything(by="finance"),
    "the domain is paused": lambda: set_paused(Domain.objects.all(), paused=True, by="finance"),
    "the bot is paused": lambda: set_paused(Bot.objects.all(), paused=True, by="finance"),
    "the route has ended": _end_the_routes,
}


def _stops_of(flow: str) -> list[str]:
    """Return the stops that there are for the flow: a refund needs no route."""
    return [stop for stop in STOPS if flow != "refund" or stop != "the route has ended"]


_CALLS = [(flow, call) for flow in FLOWS if flow not in FAILURES for call in range(len(FLOWS[flow]))]

_KILLED = [
    (Scenario(flow, call, "none", crash, RECOVERIES[turn % len(RECOVERIES)]), stops[turn % len(stops)])
    for row, (flow, call) in enumerate(_CALLS)
    for turn, crash in enumerate(CRASHES, row)
    if (stops := _stops_of(flow))
]
"""Every call with every place to be killed, and all stops and recoveries in turn."""

_LIVING = [(flow, call, stop) for flow, call in _CALLS for stop in _stops_of(flow)]


@pytest.fixture(autouse=True)
def _sees_every_stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "CHECK_SECONDS", 0)


@pytest.mark.parametrize(("killed", "stop"), _KILLED, ids=lambda value: str(value).replace(" ", "_"))
def test_nothing_is_made_after_a_stop_whose_sender_was_killed(world: World, killed: Scenario, stop: str):
    fields = prepare(killed, world)
    send(killed, world, fields)
    world.wait_until_stripe_is_idle()
    STOPS[stop]()
    made = movements(world.stripe)

    if killed.recovery == "25 h later":
        world.pass_time(A_DAY)
    for _ in range(2):
        world.recover()
        world.request(killed.flow, KEY, **fields)
    world.heal()

    assert movements(world.stripe) == made
    assert world.check().violations == ()
    assert _outcome(world) in ({"succeeded"} if _is_made(world) else {"canceled", "never written"})


@pytest.mark.parametrize(("flow", "call", "stop"), _LIVING)
def test_a_sender_that_lives_begins_no_call_after_a_stop(world: World, flow: str, call: int, stop: str):
    scenario = Scenario(flow, call, "none", "none", "at once")
    fields = prepare(scenario, world)
    sender = _suspended_before(world, scenario, fields)
    made, times = movements(world.stripe), _times_made(world, FLOWS[flow][call])

    STOPS[stop]()
    sender.resume()
    response = sender.response()
    world.heal()

    assert response["status"] == ("canceled" if call else "received")
    assert _times_made(world, FLOWS[flow][call]) == times
    assert movements(world.stripe) == made
    assert world.check().violations == ()
    assert _outcome(world) == "canceled"


def _suspended_before(world: World, scenario: Scenario, fields: dict[str, Any]) -> Sender:
    """Return a sender that has written its payment, made the calls before the scenario's, and is suspended."""
    call = scenario.call
    place = {"stop": "after the call", "at": FLOWS[scenario.flow][call - 1]} if call else {"stop": "leased"}
    sender = world.start_sender(scenario.flow, KEY, fields=fields, check_seconds=0, **place)
    sender.wait_until_stopped()
    return sender


def _times_made(world: World, call: str) -> int:
    method, path = call.split()
    return sum(fnmatchcase(request["path"], path) for request in world.stripe.requests(method))


def _outcome(world: World) -> str:
    rows = world.ledger.rows("SELECT status FROM routing_payment WHERE idempotency_key = %s", KEY)
    return rows[0]["status"] if rows else "never written"


def _is_made(world: World) -> bool:
    rows = world.ledger.rows("SELECT id FROM routing_payment WHERE idempotency_key = %s", KEY)
    return any(movement.payment == str(row["id"]) for movement in movements(world.stripe) for row in rows)
