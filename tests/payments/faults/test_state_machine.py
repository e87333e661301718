"""Requests, crashes, faults, events and recovery in any order that Hypothesis finds, and the invariants after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from routing.registry.models import Bot, Route
from tests.conftest import seed
from tests.payments.faults.report import PROPERTY
from tests.payments.faults.scenarios import FAULTS, FLOWS
from tests.payments.faults.world import A_DAY, World
from tests.payments.stripe_account import seed_monthly_price

if TYPE_CHECKING:
    import random

    from tests.payments.faults.invariants import Verdict

SLOW = {"late", "slow body"}
CALLS = st.sampled_from(sorted({call for calls in FLOWS.values() for call in calls}))
KEYS = st.sampled_from(["order-1", "order-2", "order-3"])
PAYMENT_FLOWS = st.sampled_from(["amount", "price", "subscription"])
AMOUNTS = st.sampled_from(["10", "11"])
STOPS = st.sampled_from(["before the call", "after the call", "before settling", "before responding"])


class Billing(RuleBasedStateMachine):
    """``world`` is set before it runs; each run starts with an empty account and an empty ledger."""

    world: World
    verdicts: list[Verdict]

    def __init__(self) -> None:
        super().__init__()
        self.world.stripe.control.reset()
        seed(self.world.stripe)
        seed_monthly_price(self.world.stripe)
        self.world.ledger.restore({table: [] for table in self.world.ledger.dump()})
        self.world.wrong_responses.clear()
        self.skew = 0
        self.world.stripe.control.seed_customer(self.world.stripe.account, "cus_declined", card="declined")
        self.set_route("price_finance_standard", "cus_finance_default")
        self.pause(is_paused=False)

    @rule(flow=PAYMENT_FLOWS, key=KEYS)
    def request(self, flow: str, key: str) -> None:
        self.world.request(flow, key)

    @rule(key=KEYS, amount=AMOUNTS)
    def charge(self, key: str, amount: str) -> None:
        self.world.request("amount", key, amount=amount)

    @rule(flow=PAYMENT_FLOWS, key=KEYS, stop=STOPS, call=CALLS)
    def crash(self, flow: str, key: str, stop: str, call: str) -> None:
        sender = self.world.start_sender(flow, key, stop=stop, at=call)
        sender.wait_until_stopped()
        sender.kill()

    @precondition(lambda self: succeeded(self.world))
    @rule(number=st.integers(0, 9), amount=st.sampled_from(["3", "7"]))
    def refund(self, number: int, amount: str) -> None:
        charges = succeeded(self.world)
        self.world.request("refund", f"refund-{number}", payment=charges[number % len(charges)], amount=amount)

    @rule(name=st.sampled_from(sorted(FAULTS.keys() - SLOW)), call=CALLS)
    def inject_fault(self, name: str, call: str) -> None:
        method, path = call.split()
        for nth, fault in enumerate(FAULTS[name], 1):
            self.world.stripe.control.fault(**{"method": method, "path": path, "nth": nth, **fault})

    @rule(flow=PAYMENT_FLOWS, number=st.integers(0, 9))
    def request_with_lost_response(self, flow: str, number: int) -> None:
        self.inject_fault("reset after", FLOWS[flow][-1])
        self.world.request(flow, f"lost-{number}")

    @precondition(lambda self: self.world.events())
    @rule(order=st.randoms(use_true_random=False), copies=st.integers(1, 3), is_all=st.booleans())
    def deliver_events(self, order: random.Random, copies: int, *, is_all: bool) -> None:
        """Deliver the events so far, or some of them, in any order and any number of times."""
        events = copies * self.world.events()
        self.world.deliver(order.sample(events, len(events) if is_all else order.randint(1, len(events))))

    @rule(skew=st.sampled_from([-1800, 0, 1800]))
    def set_stripes_clock(self, skew: int) -> None:
        """Set Stripe's clock ahead of the database's or behind it, so that it moves by an hour at most."""
        self.world.stripe.control.advance_clock(skew - self.skew)
        self.skew = skew

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
        verdict = self.world.check()
        self.verdicts.append(verdict)
        assert not verdict.violations, "\n".join(verdict.violations)


def succeeded(world: World) -> list[str]:
    charges = "SELECT id FROM routing_payment WHERE status = 'succeeded' AND kind IN ('charge', 'invoice') ORDER BY id"
    return [str(row["id"]) for row in world.ledger.rows(charges)]


def run(world: World, record_property: Any, *, examples: int, steps: int) -> None:
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
            record_property(f"{PROPERTY} {number}", ("state machine", len(verdict.violations), verdict.left_open))


def test_the_invariants_hold_after_any_steps_in_any_order(world, record_property):
    run(world, record_property, examples=12, steps=15)


@pytest.mark.exhaustive
def test_the_invariants_hold_after_many_steps_in_any_order(world, record_property):
    run(world, record_property, examples=200, steps=30)
