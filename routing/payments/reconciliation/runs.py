"""Compares every domain from where its last run ended.

1. Go back an hour and a quarter more than that: what was too young then is looked at again, and the clocks of the
   database and of Stripe may be an hour apart, either way.
2. Compare a window at a time, oldest first, and move the cursor after each: the next run continues one that Stripe
   stops.
3. An object that Stripe does not return holds up the cursor, and not what comes after it.
4. What is found is reported once, so any number of runs may be at work together.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

from django.db.models import F, Min, Value
from django.db.models.functions import Greatest

from routing.errors import BillingError
from routing.payments.ledger.models import Payment
from routing.payments.reconciliation.auto_clearing import clear_resolved
from routing.payments.reconciliation.balance_transactions import compare_balance
from routing.payments.reconciliation.comparison import Comparison, Window
from routing.payments.reconciliation.models import ReconciliationCursor
from routing.payments.reconciliation.payments import compare_payments
from routing.payments.stripe_api.accounts import load_keys
from routing.postgres.queries import database_time
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routing.payments.reconciliation.matching import Verdict
    from routing.registry.rules import DomainRule

OVERLAP = timedelta(minutes=75)
"""An hour for the clocks, and a quarter for what was still in flight."""

FIRST_LOOK_BACK = timedelta(days=7)
"""Some bots ask again after days."""

logger = logging.getLogger(__name__)


class Side(Enum):
    """What is compared. The value is the cursor's column."""

    PAYMENTS = "payments_until"
    BALANCE = "balance_until"


_MAX_WINDOW = timedelta(days=1)
"""What is gone through again at most after Stripe stopped a run."""

_WINDOWS = {Side.PAYMENTS: timedelta(hours=1), Side.BALANCE: _MAX_WINDOW}
"""By side: the shortest window, which is the last."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a domain. ``problem`` says why the run did not finish; ``money`` is as in ``Comparison``."""

    domain: str
    tally: Mapping[Verdict, int] = field(default_factory=dict)
    money: Mapping[tuple[str, str], int] = field(default_factory=dict)
    money_since: datetime | None = None
    problem: str = ""


def reconcile(*sides: Side, since: datetime | None = None) -> list[Result]:
    """Compare every domain, from its cursor or from ``since`` if that is earlier. One's trouble stops no other."""
    current = snapshot.current()
    domains = sorted(current.table.domains.values(), key=attrgetter("slug"))
    now = database_time()  # what is settled later may be read as it was before: the snapshot's clock can be ahead
    results = [_of_domain(domain, sides, since, now) for domain in domains]
    for result in results:
        if result.problem:
            logger.warning("The domain %s was not compared with Stripe to the end: %s", result.domain, result.problem)
    return results


def _of_domain(domain: DomainRule, sides: tuple[Side, ...], since: datetime | None, now: datetime) -> Result:
    try:
        keys, account_id = load_keys(domain)
    except BillingError as error:
        return Result(domain.slug, problem=str(error))
    cursor = _cursor(domain.slug, now)
    comparison = Comparison(domain.slug, account_id, keys, cursor.starts_at, now)
    problem = ""
    try:
        clear_resolved(comparison)
        for side in sides:
            _catch_up(comparison, side, _start(cursor, side, since))
    except BillingError as error:
        problem = f"{error} The next run goes on from where this one stopped."
    return Result(domain.slug, comparison.tally, comparison.money, _start(cursor, Side.BALANCE, since), problem)


def _cursor(domain: str, now: datetime) -> ReconciliationCursor:
    """Return the domain's cursor; a new one is at the first payment, before which nothing went through the router.

    A ledger that was lost looks as new, so the first run looks back for what names a payment.
    """
    if found := ReconciliationCursor.objects.filter(domain=domain).first():
        return found
    first = Payment.objects.filter(domain=domain).aggregate(at=Min("created_at"))["at"]
    start = min(first or now, now)
    begun = {"starts_at": start, "payments_until": start - FIRST_LOOK_BACK, "balance_until": start}
    return ReconciliationCursor.objects.get_or_create(domain=domain, defaults=begun)[0]


def _start(cursor: ReconciliationCursor, side: Side, since: datetime | None) -> datetime:
    until: datetime = getattr(cursor, side.value)
    return min(until, since) if since else until


def _catch_up(comparison: Comparison, side: Side, start: datetime) -> None:
    for window in _windows(min(start, comparison.now) - OVERLAP, comparison.now, _WINDOWS[side]):
        match side:
            case Side.PAYMENTS:
                compare_payments(comparison, window)
            case Side.BALANCE:
                compare_balance(comparison, window, counted_from=start)
        if not comparison.unreadable:
            moved = {side.value: Greatest(F(side.value), Value(window.end))}
            ReconciliationCursor.objects.filter(domain=comparison.domain).update(**moved)
    if comparison.unreadable:
        raise comparison.unreadable[0]


def _windows(start: datetime, end: datetime, shortest: timedelta) -> Iterator[Window]:
    """Yield the windows between, oldest first. The last ones are the shortest; before them each is twice as long."""
    edges, length = [end], shortest
    while edges[-1] - length > start:
        edges.append(edges[-1] - length)
        length = min(2 * length, _MAX_WINDOW)
    edges.append(start)
    for begin, until in pairwise(reversed(edges)):
        yield Window(begin, until, is_last=until is end)
