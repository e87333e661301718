"""Which route a bot's call takes. Pure: an immutable table in, a decision or an error out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from routing.errors import (
    InvalidRequest,
    OverrideConflict,
    OverrideNotFound,
    Paused,
    RouteNotFound,
    RoutingError,
    UnknownBot,
    UnknownCategory,
    UnknownDomain,
    UnknownRegion,
)
from routing.identifiers import DEFAULT_REGION, BotId, is_slug
from routing.registry.rules import ALWAYS, BotRules, DomainRule, OverrideRule, Pauses, Period, Route, RouteRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

_MAX_SHOWN = 10
"""Qualifiers in one sentence."""

REGION = "region"
"""The qualifier that chooses the route itself; every other one chooses overrides."""


_Rule = TypeVar("_Rule", RouteRule, OverrideRule)


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """The whole registry at ``version``. It never changes: a new version is a new table."""

    version: int
    stamp: UUID
    domains: Mapping[str, DomainRule]
    regions: frozenset[str]
    categories: frozenset[str]
    bots: Mapping[BotId, BotRules]
    pauses: Pauses

    def pause_of(self, bot: BotId) -> Paused | None:
        """Return what stops the bot from billing: a pause of everything, its domain, its category or itself."""
        pauses = self.pauses
        if pauses.everything is not None:
            why = f": {pauses.everything.rstrip('.')}" if pauses.everything else ""
            return Paused(f"All billing is paused{why}. Ask finance to resume it.")
        if bot.domain in pauses.domains:
            return _paused(f"in the domain {bot.domain!r}", "domain")
        if bot.category in pauses.categories:
            return _paused(f"in the category {bot.category!r}", "business_category")
        return _paused(f"by the bot {str(bot)!r}", "bot") if str(bot) in pauses.bots else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """The route that a call takes. It stays the same within ``stable``, unless the registry changes."""

    bot: BotId
    domain: DomainRule
    region: str
    route: Route
    qualifiers: Mapping[str, str]
    registry_version: int
    registry_stamp: UUID
    as_of: datetime
    stable: Period


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that was considered: which one, whether it won, and why."""

    rule: str
    won: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a call was decided: a resolution or an error, and every rule on the way."""

    resolution: Resolution | None
    error: RoutingError | None
    steps: tuple[Step, ...]

    def result(self) -> Resolution:
        """Return the resolution, or raise the error."""
        if self.resolution is None:
            raise self.error or AssertionError
        return self.resolution


def resolve(table: RoutingTable, bot: BotId, qualifiers: Mapping[str, str], as_of: datetime) -> Resolution:
    """Return the route of ``bot`` for a caller that names ``qualifiers``, such as ``{"region": "eu"}``.

    Raises a ``RoutingError`` that names the field without a rule; there is no fallback.
    """
    return _Decision(table, bot, as_of).take(qualifiers)


def explain(table: RoutingTable, bot: BotId, qualifiers: Mapping[str, str], as_of: datetime) -> Explanation:
    """Decide as ``resolve`` does, and return which rules won, which did not, and why."""
    decision = _Decision(table, bot, as_of)
    try:
        resolution = decision.take(qualifiers)
    except RoutingError as error:
        return Explanation(None, error, tuple(decision.steps))
    return Explanation(resolution, None, tuple(decision.steps))


@dataclass(slots=True)
class _Decision:
    """One pass through the table, with the steps so far."""

    table: RoutingTable
    bot: BotId
    as_of: datetime
    steps: list[Step] = field(default_factory=list)
    stable: Period = ALWAYS

    def take(self, qualifiers: Mapping[str, str]) -> Resolution:
        _check(qualifiers)
        domain = self._domain()
        rules = self._bot_rules()
        region = qualifiers.get(REGION, DEFAULT_REGION)
        base = self._route(rules, region)
        route = self._overridden(base.route, rules, region, qualifiers)
        return Resolution(
            bot=self.bot,
            domain=domain,
            region=region,
            route=route,
            qualifiers=qualifiers,
            registry_version=self.table.version,
            registry_stamp=self.table.stamp,
            as_of=self.as_of,
            stable=self.stable,
        )

    def _domain(self) -> DomainRule:
        domain = self.table.domains.get(self.bot.domain)
        if domain is None:
            known = ", ".join(sorted(self.table.domains)) or "none yet"
            raise UnknownDomain(f"The domain {self.bot.domain!r} is not supported. Supported: {known}.", field="domain")
        return domain

    def _bot_rules(self) -> BotRules:
        if self.bot.category not in self.table.categories:
            raise UnknownCategory(
                f"The business category {self.bot.category!r} is not supported. Check its spelling, or register it.",
                field="business_category",
            )
        rules = self.table.bots.get(self.bot)
        if rules is None:
            raise UnknownBot(
                f"The bot {str(self.bot)!r} is not registered. Check its spelling, or register a route for it.",
                field="bot",
            )
        if why := self.table.pause_of(self.bot):
            raise why
        return rules

    def _route(self, rules: BotRules, region: str) -> RouteRule:
        if region not in self.table.regions:
            raise UnknownRegion(
                f"The region {region!r} is not registered. Check its spelling, or register it.", field=REGION
            )
        if rule := self._in_force(rules.routes.get(region, ())):
            self.steps.append(Step(str(rule), won=True, reason=f"the call is for region {region}"))
            return rule
        raise RouteNotFound(
            f"The bot {str(self.bot)!r} has no route in region {region!r} at {self.as_of:%Y-%m-%d %H:%M:%S %Z}. "
            "Register one; another region's route is never used instead.",
            field=REGION,
        )

    def _overridden(self, route: Route, rules: BotRules, region: str, qualifiers: Mapping[str, str]) -> Route:
        decided: dict[str, OverrideRule] = {}
        for key, value in sorted(qualifiers.items()):
            if key != REGION:
                self._apply(rules, key, value, region, decided)
        return replace(route, **{name: rule.changes[name] for name, rule in decided.items()}) if decided else route

    def _apply(self, rules: BotRules, key: str, value: str, region: str, decided: dict[str, OverrideRule]) -> None:
        """Add the fields that the qualifier changes to ``decided``; the region's own override takes precedence."""
        candidates = rules.overrides.get((key, value), ())
        own = self._in_force(rule for rule in candidates if rule.region == region)
        general = self._in_force(rule for rule in candidates if rule.region is None)
        if own is None and general is None:
            raise OverrideNotFound(
                f"The bot {str(self.bot)!r} has no override for {key}={value} in region {region!r}. "
                f"{_list_overrides(rules)}",
                field=key,
            )
        for rule in (own, general):
            if rule is not None:
                self._claim(rule, own, decided)

    def _claim(self, rule: OverrideRule, own: OverrideRule | None, decided: dict[str, OverrideRule]) -> None:
        won, overridden = [], []
        for name, value in rule.changes.items():
            holder = decided.setdefault(name, rule)
            if holder is own and rule is not own:
                overridden.append(name)
            elif holder.changes[name] == value:
                won.append(name)
            else:
                raise OverrideConflict(
                    f"{holder.key}={holder.value} and {rule.key}={rule.value} set {name} to different values "
                    f"({holder.changes[name]} and {value}). Pass only one of the two, or make the overrides agree.",
                    field=name,
                )
        if won:
            self.steps.append(
                Step(str(rule), won=True, reason=f"the call has {rule.key}={rule.value}; it sets {_join(won)}")
            )
        if overridden:
            self.steps.append(Step(str(rule), won=False, reason=f"the region's own override sets {_join(overridden)}"))

    def _in_force(self, rules: Iterable[_Rule]) -> _Rule | None:
        """Return the rule in force, and narrow the period in which the decision is stable."""
        found = None
        for rule in rules:
            self._narrow(rule.period)
            if rule.period.holds(self.as_of):
                found = rule
            else:
                self.steps.append(
                    Step(str(rule), won=False, reason=f"it is not in force at {self.as_of:%Y-%m-%d %H:%M:%S %Z}")
                )
        return found

    def _narrow(self, period: Period) -> None:
        for edge in period:
            if edge is None:
                continue
            if edge <= self.as_of and (self.stable.start is None or edge > self.stable.start):
                self.stable = self.stable._replace(start=edge)
            if edge > self.as_of and (self.stable.end is None or edge < self.stable.end):
                self.stable = self.stable._replace(end=edge)


def _paused(where: str, field: str) -> Paused:
    return Paused(f"Billing {where} is paused. Ask finance to resume it.", field=field)


def _check(qualifiers: Mapping[str, str]) -> None:
    for key, value in qualifiers.items():
        if not (isinstance(key, str) and isinstance(value, str) and is_slug(key) and is_slug(value)):
            raise InvalidRequest(
                f"The qualifier {key!r:.70}: {value!r:.70} is not valid. Names and values are strings of 1 to 64 "
                "lower-case letters, digits, '_' and '-', such as business=enterprise.",
                field="overrides",
            )


def _list_overrides(rules: BotRules) -> str:
    qualifiers = sorted(f"{key}={value}" for key, value in rules.overrides)
    shown = ", ".join(qualifiers[:_MAX_SHOWN]) + (" and more" if len(qualifiers) > _MAX_SHOWN else "")
    return f"It has overrides for {shown}." if qualifiers else "It has no overrides."


def _join(names: list[str]) -> str:
    return " and ".join(names)
