"""Plays a scenario: a charge is prepared, its sender struck and killed, everything healed, and the two sides compared.

1. A bot asks for it through a sender in a process of its own, which is killed with SIGKILL where the scenario says.
2. Somebody looks, at once or 25 hours later: recovery, and the bot that comes again with the same key.
3. Whatever is still broken is mended, recovery goes on until nothing is open, and the invariants are judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.payments.faults.world import A_DAY, World

if TYPE_CHECKING:
    from tests.payments.faults.invariants import Verdict
    from tests.payments.faults.scenarios import Scenario
    from tests.payments.faults.senders import Sender

KEY = "order-1"
T1, T3 = "WITH head AS MATERIALIZED", "SET status = "
HOLD_T1 = "LOCK TABLE routing_payment IN SHARE MODE"
HOLD_T3 = "SELECT FROM routing_payment WHERE idempotency_key = %s FOR UPDATE"
_STOPS = {
    "before the call": "before the call",
    "after the call": "after the call",
    "before settling": "before settling",
    "settlement lost": "before settling",
    "settled": "before settling",
    "before answering": "before answering",
}


def played(scenario: Scenario, world: World) -> Verdict:
    words = _prepared(scenario, world)
    for fault in scenario.strikes():
        world.stripe.control.fault(**fault)
    _send(scenario, world, words)
    if scenario.healed == "25 h later":
        world.wait_until_stripe_is_idle()
        world.pass_time(A_DAY)
    else:
        world.recover()  # while Stripe may still be at it
        world.wait_until_stripe_is_idle()
    for _ in range(2):
        world.ledger.let_leases_end()
        world.ask(scenario.flow, KEY, **words)
        world.recover()
    world.heal()
    return world.judged()


def _prepared(scenario: Scenario, world: World) -> dict[str, Any]:
    """Make what the flow needs, and return the words that name it."""
    if scenario.flow.startswith("declined"):
        world.use_card("declined")
    if scenario.flow != "refund":
        return {}
    world.ask("amount", "charge-that-is-given-back")
    return {"payment": str(world.ledger.payments()[0]["id"])}


def _send(scenario: Scenario, world: World, words: dict[str, Any]) -> None:
    """Let a sender ask, and kill it where the scenario says; where it does not, keep what the bot is told."""
    stop = _STOPS.get(scenario.crash, "")
    order = {"words": words, "stop": stop, "at": scenario.struck, "is_refused": scenario.fault == "refused"}
    match scenario.crash:
        case "none":
            world.check_told(world.send(scenario.flow, KEY, **order).answer())
        case "reservation lost" | "reserved":
            with world.ledger.held(HOLD_T1):
                sender = world.send(scenario.flow, KEY, **order)
                server = world.ledger.wait_for_statement(T1)
                _kill_in_statement(world, sender, server, is_lost=scenario.crash == "reservation lost")
            world.ledger.wait_until_done(server)
        case "in the call":
            sender = world.send(scenario.flow, KEY, **order)
            world.wait_for_call(scenario.struck)
            sender.kill()
        case "settlement lost" | "settled":
            sender = world.send(scenario.flow, KEY, **order)
            sender.wait_until_it_stops()
            with world.ledger.held(HOLD_T3, KEY):
                sender.wake()
                server = world.ledger.wait_for_statement(T3)
                _kill_in_statement(world, sender, server, is_lost=scenario.crash == "settlement lost")
            world.ledger.wait_until_done(server)
        case _:
            sender = world.send(scenario.flow, KEY, **order)
            sender.wait_until_it_stops()
            sender.kill()


def _kill_in_statement(world: World, sender: Sender, server: int, *, is_lost: bool) -> None:
    """Kill the sender while its statement is held up; what is not rolled back now is committed when it goes on."""
    sender.kill()
    if is_lost:
        world.ledger.roll_back(server)
