"""The registry's rules in one form for the file and the database, so that the two can be compared."""

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
"""The name in place of a region for the overrides of every region."""


class Qualifier(NamedTuple):
    key: str
    value: str


class RuleKey(NamedTuple):
    """What identifies a rule: a bot, a region or every one (None), and the qualifier if it is an override."""

    bot: BotId
    region: str | None
    qualifier: Qualifier | None = None

    def __str__(self) -> str:
        bot = self.bot
        path = f"{bot.domain}/{self.region or EVERY_REGION}/{bot.category}/{bot.name}"
        return f"{path} {self.qualifier.key}={self.qualifier.value}" if self.qualifier else path


class PeriodFields(NamedTuple):
    """The fields of a rule in a period: the values of ``ROUTE_FIELDS``, None where an override changes nothing."""

    period: Period
    values: tuple[str | None, ...]

    def __str__(self) -> str:
        return ", ".join(f"{name}: {value}" for name, value in self.as_dict().items())

    def sort_key(self) -> tuple[bool, datetime | None]:
        """Return the sort key of a rule's periods, of which only one can be without a start."""
        return self.period.start is not None, self.period.start

    def as_dict(self) -> dict[str, str]:
        """Return the fields as the file has them, without those that are None."""
        fields = {name: value for name, value in zip(ROUTE_FIELDS, self.values, strict=True) if value is not None}
        edges = zip(("valid_from", "valid_until"), self.period, strict=True)
        return fields | {name: to_iso(edge) for name, edge in edges if edge is not None}


class DesiredRule(NamedTuple):
    """A rule of the file: its one period, or several that do not overlap."""

    periods: tuple[PeriodFields, ...]
    mark: Mark


class DesiredRegistry(NamedTuple):
    """The whole file: the domains that it names, and every rule in them."""

    domains: dict[str, Mark]
    rules: dict[RuleKey, DesiredRule]
