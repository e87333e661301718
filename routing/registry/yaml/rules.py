"""The registry's rules as the file and the database both say them, so that the two can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from routing.registry.models import ROUTE_FIELDS
from routing.timestamps import to_iso

if TYPE_CHECKING:
    from datetime import datetime

    from routing.identifiers import BotId
    from routing.registry.rules import Period
    from routing.registry.yaml.problems import Mark

EVERY_REGION = "*"
"""Stands in a region's place for the overrides that hold in every region."""


class Qualifier(NamedTuple):
    key: str
    value: str


class Place(NamedTuple):
    """Where a rule lies: a bot in a region, or in every one (None), and the qualifier if it is an override."""

    bot: BotId
    region: str | None
    qualifier: Qualifier | None = None

    def __str__(self) -> str:
        bot = self.bot
        path = f"{bot.domain}/{self.region or EVERY_REGION}/{bot.category}/{bot.name}"
        return f"{path} {self.qualifier.key}={self.qualifier.value}" if self.qualifier else path


class Term(NamedTuple):
    """What a rule says for a period: the values of ``ROUTE_FIELDS``, None where an override leaves one as it is."""

    period: Period
    values: tuple[str | None, ...]

    def __str__(self) -> str:
        return ", ".join(f"{name}: {value}" for name, value in self.written().items())

    def order(self) -> tuple[bool, datetime | None]:
        """Return by what the terms of one rule, of which only one can begin without a date, are sorted."""
        return self.period.start is not None, self.period.start

    def written(self) -> dict[str, str]:
        """Return the fields as the file has them, without those that say nothing."""
        fields = {name: value for name, value in zip(ROUTE_FIELDS, self.values, strict=True) if value is not None}
        edges = zip(("valid_from", "valid_until"), self.period, strict=True)
        return fields | {name: to_iso(edge) for name, edge in edges if edge is not None}


class WantedRule(NamedTuple):
    """What the file says for a place: one term, or several that follow each other."""

    terms: tuple[Term, ...]
    mark: Mark


class Wanted(NamedTuple):
    """The whole file: the domains that it speaks for, and every rule in them."""

    domains: dict[str, Mark]
    rules: dict[Place, WantedRule]


def overlap(one: Period, other: Period) -> bool:
    return _begins_before_end(one, other) and _begins_before_end(other, one)


def _begins_before_end(one: Period, other: Period) -> bool:
    return one.start is None or other.end is None or one.start < other.end
