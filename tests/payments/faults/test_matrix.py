"""A sender killed at every step, with every fault of Stripe's, and recovery at once or a day later."""

from __future__ import annotations

from itertools import combinations

from tests.payments.faults.playing import KEY, play
from tests.payments.faults.report import PROPERTY
from tests.payments.faults.scenarios import every, pairwise


def test_a_charge_is_made_once_and_its_outcome_known_whatever_fails(world, scenario, record_property):
    verdict = play(scenario, world)

    record_property(PROPERTY, (scenario.fault, len(verdict.violations), verdict.left_open))
    assert not verdict.violations, f"{scenario}: " + "\n".join(verdict.violations)
    assert world.payment(KEY)["status"] in scenario.allowed_statuses


def test_every_pair_of_values_of_the_matrix_occurs_in_the_small_run():
    def pairs(scenarios):
        values = [((each.flow, each.call), each.fault, each.crash, each.recovery) for each in scenarios]
        return {pair for each in values for pair in combinations(each, 2)}

    assert pairs(pairwise()) == pairs(every())
