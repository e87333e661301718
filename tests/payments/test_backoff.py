"""Pauses between attempts: they double up to a bound, and no two attempts fall together."""

from __future__ import annotations

import pytest

from routing.backoff import backoff_seconds

MANY = 200
MAX_SECONDS = 3600.0


def pauses(attempts: int, **options: float) -> list[float]:
    return [backoff_seconds(attempts, **{"max_seconds": MAX_SECONDS, **options}) for _ in range(MANY)]


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [(0, 2.0), (1, 4.0), (2, 8.0), (5, 64.0), (10, 2048.0), (11, MAX_SECONDS), (60, MAX_SECONDS)],
)
def test_a_pause_is_between_half_of_the_longest_and_the_longest(attempts, longest):
    found = pauses(attempts, first_seconds=2.0)

    assert longest / 2 <= min(found) <= max(found) <= longest


@pytest.mark.parametrize("attempts", range(10))
def test_every_pause_is_at_least_as_long_as_the_longest_before_it(attempts):
    assert max(pauses(attempts)) <= min(pauses(attempts + 1))


def test_pauses_after_the_same_number_of_attempts_differ():
    found = pauses(3, first_seconds=1.0)

    assert len(set(found)) > MANY / 2
    assert max(found) - min(found) > 2.0


@pytest.mark.parametrize("attempts", [31, 1000, 10**9])
def test_a_great_number_of_attempts_stays_within_the_bound(attempts):
    assert MAX_SECONDS / 2 <= min(pauses(attempts)) <= max(pauses(attempts)) <= MAX_SECONDS


def test_a_first_pause_longer_than_the_bound_is_cut_to_it():
    assert max(pauses(0, first_seconds=10.0, max_seconds=5.0)) <= 5.0
