"""How long to wait before the next attempt at what keeps failing."""

from __future__ import annotations

import random


def backoff_seconds(attempts: int, *, first_seconds: float = 1.0, max_seconds: float) -> float:
    """Return a pause that doubles with each attempt up to a bound, with jitter, so that no two retry together.

    ``attempts`` is how many have failed; after none, the pause is about ``first_seconds``.
    """
    longest = min(max_seconds, first_seconds * 2.0 ** min(attempts, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)
