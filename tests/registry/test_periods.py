"""When a rule holds, and when two of them meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from routing.identifiers import BotId
from routing.registry.changes import register_route
from routing.registry.models import IN_FORCE, Route
from routing.registry.rules import ALWAYS, Period

FIRST, SECOND, THIRD = (datetime(2027, month, 1, tzinfo=UTC) for month in (1, 2, 3))
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("period", "at", "holds"),
    [
        (ALWAYS, FIRST, True),
        (Period(FIRST, THIRD), FIRST, True),
        (Period(FIRST, THIRD), SECOND, True),
        (Period(FIRST, THIRD), THIRD, False),
        (Period(SECOND), FIRST, False),
        (Period(None, SECOND), FIRST, True),
    ],
)
def test_a_period_holds_from_its_start_until_just_before_its_end(period, at, holds):
    assert period.holds(at) is holds


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        (ALWAYS, ALWAYS, True),
        (ALWAYS, Period(FIRST, SECOND), True),
        (Period(FIRST, SECOND), Period(SECOND, THIRD), False),
        (Period(FIRST, THIRD), Period(SECOND, THIRD), True),
        (Period(None, SECOND), Period(SECOND), False),
        (Period(None, SECOND), Period(FIRST), True),
        (Period(FIRST, SECOND), Period(THIRD), False),
    ],
)
def test_periods_that_only_touch_do_not_overlap(one, other, overlaps):
    assert one.overlaps(other) is overlaps
    assert other.overlaps(one) is overlaps


@pytest.mark.parametrize("start", [None, -HOUR, HOUR])
@pytest.mark.parametrize("end", [None, -2 * HOUR, 2 * HOUR])
def test_a_query_and_a_value_agree_on_what_is_in_force(registry, start, end):
    register_route(
        BotId.parse("finance:bot"), "eu", {"product_id": "prod_a", "price_id": "price_a", "customer_id": "cus_a"}
    )
    if start and end and start > end:
        start = end - HOUR
    Route.objects.update(
        valid_from=Now() + start if start else None,
        valid_until=Now() + end if end else None,
    )

    row = Route.objects.annotate(now=Now()).get()

    assert Route.objects.filter(IN_FORCE).exists() is row.period.holds(row.now)
