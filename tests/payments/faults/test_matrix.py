"""A sender killed at every step, under every fault of Stripe's, and looked at once or a day later."""

from __future__ import annotations

from itertools import combinations

from tests.payments.faults.playing import KEY, played
from tests.payments.faults.report import PLAYED
from tests.payments.faults.scenarios import every, pairwise


def test_whatever_happens_a_charge_is_made_once_and_known(world, scenario, record_property):
    verdict = played(scenario, world)

    record_property(PLAYED, (scenario.fault, len(verdict.violations), verdict.left_for_a_person))
    assert not verdict.violations, f"{scenario}: " + "\n".join(verdict.violations)
    assert world.payment(KEY)["status"] in scenario.ends


def test_any_two_values_of_the_matrix_meet_in_the_small_run():
    def pairs(scenarios):
        parts = [((each.flow, each.call), each.fault, each.crash, each.healed) for each in scenarios]
        return {pair for each in parts for pair in combinations(each, 2)}

    assert pairs(pairwise()) == pairs(every())
