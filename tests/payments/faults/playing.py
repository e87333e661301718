"""Plays a scenario and checks what it leaves at Stripe and in the ledger.

1. A sender in a process of its own requests the payment, and is killed with SIGKILL where the scenario says.
2. At once or 25 hours later recovery runs, and the bot retries with the same key.
3. All faults are removed, recovery runs until nothing is open, and the invariants are checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.payments.faults.world import A_DAY, World
from tests.payments.stripe_account import use_card

if TYPE_CHECKING:
    from tests.payments.faults.invariants import Verdict
    from tests.payments.faults.scenarios import Scenario
    from tests.payments.faults.senders import Sender

KEY = "order-1"

RESERVE, SETTLE = "WITH head AS MATERIALIZED", "SET status = "
"""Texts by which the two statements are recognized."""

LOCK_BEFORE_RESERVE = "LOCK TABLE routing_payment IN SHARE MODE"
LOCK_BEFORE_SETTLE = "SELECT FROM routing_payment WHERE idempotency_key = %s FOR UPDATE"

_STOPS = {
    "before the call": "before the call",
    "after the call": "after the call",
    "before settling": "before settling",
    "settlement lost": "before settling",
    "settled": "before settling",
    "before responding": "before responding",
}


def play(scenario: Scenario, world: World) -> Verdict:
    fields = prepare(scenario, world)
    send(scenario, world, fields)
    if scenario.recovery == "25 h later":
        world.wait_until_stripe_is_idle()
        world.pass_time(A_DAY)
    else:
        world.recover()  # Stripe may still be executing the call
        world.wait_until_stripe_is_idle()
    for _ in range(2):
        world.ledger.end_leases()
        world.request(scenario.flow, KEY, **fields)
        world.recover()
    world.heal()
    return world.check()


def prepare(scenario: Scenario, world: World) -> dict[str, Any]:
    """Make what the flow needs; return the fields of its request."""
    if scenario.flow.startswith("declined"):
        use_card(world.stripe, "declined")
    if scenario.flow != "refund":
        return {}
    world.request("amount", "charge-to-refund")
    return {"payment": str(world.ledger.payments()[0]["id"])}


def send(scenario: Scenario, world: World, fields: dict[str, Any]) -> None:
    """Let a sender send the request, and kill it where the scenario says; otherwise check its response."""
    for fault in scenario.faults():
        world.stripe.control.fault(**fault)
    options = {
        "fields": fields,
        "stop": _STOPS.get(scenario.crash, ""),
        "at": scenario.faulty_call,
        "is_connection_refused": scenario.fault == "connection refused",
    }
    match scenario.crash:
        case "none":
            world.check_response(world.start_sender(scenario.flow, KEY, **options).response())
        case "reservation lost" | "reserved":
            with world.ledger.locked(LOCK_BEFORE_RESERVE):
                sender = world.start_sender(scenario.flow, KEY, **options)
                backend = world.ledger.wait_for_statement(RESERVE)
                _kill_in_statement(world, sender, backend, is_lost=scenario.crash == "reservation lost")
            world.ledger.wait_until_ended(backend)
        case "in the call":
            sender = world.start_sender(scenario.flow, KEY, **options)
            world.wait_for_call(scenario.faulty_call)
            sender.kill()
        case "settlement lost" | "settled":
            sender = world.start_sender(scenario.flow, KEY, **options)
            sender.wait_until_stopped()
            with world.ledger.locked(LOCK_BEFORE_SETTLE, KEY):
                sender.resume()
                backend = world.ledger.wait_for_statement(SETTLE)
                _kill_in_statement(world, sender, backend, is_lost=scenario.crash == "settlement lost")
            world.ledger.wait_until_ended(backend)
        case _:
            sender = world.start_sender(scenario.flow, KEY, **options)
            sender.wait_until_stopped()
            sender.kill()


def _kill_in_statement(world: World, sender: Sender, backend: int, *, is_lost: bool) -> None:
    """Kill the sender while its statement waits; unless the backend is terminated too, it commits afterwards."""
    sender.kill()
    if is_lost:
        world.ledger.terminate(backend)
