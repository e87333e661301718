"""Compares every domain from where its last run ended.

1. Go back an hour and a quarter more than that: what was too young then is looked at again, and the clocks of the
   database and of Stripe may be an hour apart, either way.
2. Compare a window at a time, oldest first, and move the bookmark after each: a run that Stripe stops is gone on with.
3. An object that Stripe does not give holds up the bookmark, and not what comes after it.
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
from routing.payments.accounts import keys_of
from routing.payments.models import Payment
from routing.payments.reconciliation.balance import compare_balance
from routing.payments.reconciliation.books import Books, Window
from routing.payments.reconciliation.models import Bookmark
from routing.payments.reconciliation.payments import compare_payments
from routing.payments.reconciliation.vanished import clear_vanished
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from routing.payments.reconciliation.pairing import Verdict
    from routing.registry.rules import DomainRule

OVERLAP = timedelta(minutes=75)
"""An hour for the clocks, and a quarter for what was still in flight."""

FIRST_LOOK_BACK = timedelta(days=7)
"""Some bots ask again after days."""

logger = logging.getLogger(__name__)


class Side(Enum):
    """What is compared. The value is the bookmark's column."""

    PAYMENTS = "payments_until"
    BALANCE = "balance_until"


_LONGEST_WINDOW = timedelta(days=1)
"""What is gone through again at most after Stripe stopped a run."""

_WINDOWS = {Side.PAYMENTS: timedelta(hours=1), Side.BALANCE: _LONGEST_WINDOW}
"""By side: the shortest window, which is the last."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one domain. ``problem`` says why it was not compared to the end; ``money`` is as in ``Books``."""

    domain: str
    tally: Mapping[Verdict, int] = field(default_factory=dict)
    money: Mapping[tuple[str, str], int] = field(default_factory=dict)
    money_since: datetime | None = None
    problem: str = ""


def reconcile(*sides: Side, since: datetime | None = None) -> list[Result]:
    """Compare every domain, from its bookmark or from ``since`` if that is earlier. One's trouble stops no other."""
    current = snapshot.current()
    domains = sorted(current.table.domains.values(), key=attrgetter("slug"))
    results = [_of_domain(domain, sides, since, current.now()) for domain in domains]
    for result in results:
        if result.problem:
            logger.warning("The domain %s was not compared with Stripe to the end: %s", result.domain, result.problem)
    return results


def _of_domain(domain: DomainRule, sides: tuple[Side, ...], since: datetime | None, now: datetime) -> Result:
    try:
        keys, account_id = keys_of(domain)
    except BillingError as error:
        return Result(domain.slug, problem=str(error))
    bookmark = _bookmark(domain.slug, now)
    books = Books(domain.slug, account_id, keys, bookmark.starts_at, now)
    problem = ""
    try:
        clear_vanished(books)
        for side in sides:
            _catch_up(books, side, _start(bookmark, side, since))
    except BillingError as error:
        problem = f"{error} The next run goes on from where this one stopped."
    return Result(domain.slug, books.tally, books.money, _start(bookmark, Side.BALANCE, since), problem)


def _bookmark(domain: str, now: datetime) -> Bookmark:
    """Return the domain's bookmark; a new one is at the first payment, before which nothing went through the router.

    A ledger that was lost looks as new, so the first run looks back for what names a payment.
    """
    if found := Bookmark.objects.filter(domain=domain).first():
        return found
    first = Payment.objects.filter(domain=domain).aggregate(at=Min("created_at"))["at"]
    start = min(first or now, now)
    begun = {"starts_at": start, "payments_until": start - FIRST_LOOK_BACK, "balance_until": start}
    return Bookmark.objects.get_or_create(domain=domain, defaults=begun)[0]


def _start(bookmark: Bookmark, side: Side, since: datetime | None) -> datetime:
    until: datetime = getattr(bookmark, side.value)
    return min(until, since) if since else until


def _catch_up(books: Books, side: Side, start: datetime) -> None:
    for window in _windows(min(start, books.now) - OVERLAP, books.now, _WINDOWS[side]):
        match side:
            case Side.PAYMENTS:
                compare_payments(books, window)
            case Side.BALANCE:
                compare_balance(books, window, counted_from=start)
        if not books.unread:
            moved = {side.value: Greatest(F(side.value), Value(window.end))}
            Bookmark.objects.filter(domain=books.domain).update(**moved)
    if books.unread:
        raise books.unread[0]


def _windows(start: datetime, end: datetime, shortest: timedelta) -> Iterator[Window]:
    """Yield the windows between, oldest first. The last ones are the shortest; before them each is twice as long."""
    edges, length = [end], shortest
    while edges[-1] - length > start:
        edges.append(edges[-1] - length)
        length = min(2 * length, _LONGEST_WINDOW)
    edges.append(start)
    for begin, until in pairwise(reversed(edges)):
        yield Window(begin, until, is_last=until is end)
