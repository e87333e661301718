"""The rules of the registry as plain values: the routes, the overrides, and when each is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Period(NamedTuple):
    """Half open: it includes ``start`` and excludes ``end``; None is unbounded."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)

    def overlaps(self, other: Period) -> bool:
        return self._starts_before_end_of(other) and other._starts_before_end_of(self)

    def _starts_before_end_of(self, other: Period) -> bool:
        return self.start is None or other.end is None or self.start < other.end


ALWAYS = Period()


@dataclass(frozen=True, slots=True)
class Route:
    product_id: str
    price_id: str
    customer_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class RouteRule:
    region: str
    route: Route
    period: Period = ALWAYS

    def __str__(self) -> str:
        return f"the route for region {self.region}{_during(self.period)}"


@dataclass(frozen=True, slots=True)
class OverrideRule:
    """``region`` None means every region. ``changes`` maps a field of the route to its new value."""

    key: str
    value: str
    changes: Mapping[str, str]
    region: str | None = None
    period: Period = ALWAYS

    def __str__(self) -> str:
        return f"the override {self.key}={self.value} for {_in_region(self.region)}{_during(self.period)}"


@dataclass(frozen=True, slots=True)
class DomainRule:
    slug: str
    account_id: str | None = None
    key_path: str = ""


@dataclass(frozen=True, slots=True)
class BotRules:
    routes: Mapping[str, tuple[RouteRule, ...]]
    overrides: Mapping[tuple[str, str], tuple[OverrideRule, ...]]


@dataclass(frozen=True, slots=True)
class Pauses:
    """What must not bill now. It is no part of the registry's version: a pause waits for nobody who changes that."""

    everything: str | None = None
    """The reason for the pause of all billing, which may be empty; None where there is no such pause."""
    domains: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()


def _in_region(region: str | None) -> str:
    return f"region {region}" if region else "every region"


def _during(period: Period) -> str:
    start = f" from {period.start:%Y-%m-%d %H:%M}" if period.start else ""
    end = f" until {period.end:%Y-%m-%d %H:%M}" if period.end else ""
    return start + end
