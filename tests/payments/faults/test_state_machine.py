"""Everything at once, in any order: what Hypothesis finds to do to the router, and the invariants after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from routing.registry.models import Bot, Route
from tests.conftest import seed
from tests.payments.faults.conftest import seed_plan
from tests.payments.faults.report import PLAYED
from tests.payments.faults.scenarios import FAULTS, FLOWS
from tests.payments.faults.world import A_DAY, World

if TYPE_CHECKING:
    import random

    from tests.payments.faults.invariants import Verdict

SLOW = {"late", "slow drip"}
CALLS = st.sampled_from(sorted({call for calls in FLOWS.values() for call in calls}))
KEYS = st.sampled_from(["order-1", "order-2", "order-3"])
MADE = st.sampled_from(["amount", "price", "subscription"])
AMOUNTS = st.sampled_from(["10", "11"])
STOPS = st.sampled_from(["before the call", "after the call", "before settling", "before answering"])


class Billing(RuleBasedStateMachine):
    """``world`` is given before it is played; each run begins with an account and a ledger that are empty."""

    world: World
    verdicts: list[Verdict]

    def __init__(self) -> None:
        super().__init__()
        self.world.stripe.control.reset()
        seed(self.world.stripe)
        seed_plan(self.world.stripe)
        self.world.ledger.restore({table: [] for table in self.world.ledger.copied()})
        self.world.lies.clear()
        self.clock = 0
        self.world.stripe.control.seed_customer(self.world.stripe.account, "cus_declined", card="declined")
        self.set_route("price_finance_standard", "cus_finance_default")
        self.pause(is_paused=False)

    @rule(flow=MADE, key=KEYS)
    def ask(self, flow: str, key: str) -> None:
        self.world.ask(flow, key)

    @rule(key=KEYS, amount=AMOUNTS)
    def charge(self, key: str, amount: str) -> None:
        self.world.ask("amount", key, amount=amount)

    @rule(flow=MADE, key=KEYS, stop=STOPS, call=CALLS)
    def crash(self, flow: str, key: str, stop: str, call: str) -> None:
        sender = self.world.send(flow, key, stop=stop, at=call)
        sender.wait_until_it_stops()
        sender.kill()

    @precondition(lambda self: succeeded(self.world))
    @rule(number=st.integers(0, 9), amount=st.sampled_from(["3", "7"]))
    def refund(self, number: int, amount: str) -> None:
        charges = succeeded(self.world)
        self.world.ask("refund", f"refund-{number}", payment=charges[number % len(charges)], amount=amount)

    @rule(fault=st.sampled_from(sorted(FAULTS.keys() - SLOW)), call=CALLS)
    def break_stripe(self, fault: str, call: str) -> None:
        method, path = call.split()
        for nth, strike in enumerate(FAULTS[fault], 1):
            self.world.stripe.control.fault(**{"method": method, "path": path, "nth": nth, **strike})

    @rule(flow=MADE, number=st.integers(0, 9))
    def ask_and_hear_nothing(self, flow: str, number: int) -> None:
        self.break_stripe("reset after", FLOWS[flow][-1])
        self.world.ask(flow, f"unheard-{number}")

    @precondition(lambda self: self.world.happened())
    @rule(order=st.randoms(use_true_random=False), copies=st.integers(1, 3), is_all=st.booleans())
    def tell(self, order: random.Random, copies: int, *, is_all: bool) -> None:
        """Let Stripe send what has happened so far, or some of it, in any order and any number of times."""
        events = copies * self.world.happened()
        self.world.tell(order.sample(events, len(events) if is_all else order.randint(1, len(events))))

    @rule(clock=st.sampled_from([-1800, 0, 1800]))
    def set_stripes_clock(self, clock: int) -> None:
        """Let Stripe's clock go ahead of the database's or behind it, and so by an hour at most."""
        self.world.stripe.control.advance_clock(clock - self.clock)
        self.clock = clock

    @rule()
    def recover(self) -> None:
        self.world.recover()

    @rule(seconds=st.sampled_from([600, 4000, 22 * 3600, A_DAY]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(
        price=st.sampled_from(["price_finance_standard", "price_finance_enterprise"]),
        customer=st.sampled_from(["cus_finance_default", "cus_declined"]),
    )
    def set_route(self, price: str, customer: str) -> None:
        Route.objects.filter(region__slug="default").update(price_id=price, customer_id=customer)

    @rule(is_paused=st.booleans())
    def pause(self, *, is_paused: bool) -> None:
        Bot.objects.update(is_paused=is_paused)

    def teardown(self) -> None:
        self.pause(is_paused=False)
        self.world.heal()
        verdict = self.world.judged()
        self.verdicts.append(verdict)
        assert not verdict.violations, "\n".join(verdict.violations)


def succeeded(world: World) -> list[str]:
    charges = "SELECT id FROM routing_payment WHERE status = 'succeeded' AND kind IN ('charge', 'invoice') ORDER BY id"
    return [str(row["id"]) for row in world.ledger.rows(charges)]


def play(world: World, record_property: Any, *, examples: int, steps: int) -> None:
    Billing.world, Billing.verdicts = world, []
    try:
        run_state_machine_as_test(
            Billing,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                derandomize=examples < 100,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for number, verdict in enumerate(Billing.verdicts):
            left = verdict.left_for_a_person
            record_property(f"{PLAYED} {number}", ("state machine", len(verdict.violations), left))


def test_whatever_is_done_in_whatever_order_the_promises_hold(world, record_property):
    play(world, record_property, examples=12, steps=15)


@pytest.mark.exhaustive
def test_whatever_is_done_in_whatever_order_the_promises_hold_for_long(world, record_property):
    play(world, record_property, examples=200, steps=30)
