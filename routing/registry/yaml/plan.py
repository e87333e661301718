"""Compares the registry in a file with the database's, and plans what to change."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from routing.identifiers import DEFAULT_REGION, BotId
from routing.registry.models import ROUTE_FIELDS, Bot, Category, Domain, Override, Region, Route
from routing.registry.rules import Period
from routing.registry.yaml.problems import Mark, Problem
from routing.registry.yaml.rules import PeriodFields, Qualifier, RuleKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from routing.registry.yaml.rules import DesiredRegistry, DesiredRule


class StoredPeriod(NamedTuple):
    """A row of the database."""

    id: int
    fields: PeriodFields


class Change(NamedTuple):
    """The change of one period of a rule: ``old`` None adds it, ``new`` None removes it."""

    key: RuleKey
    old: StoredPeriod | None
    new: PeriodFields | None


@dataclass(frozen=True, slots=True)
class Unused:
    """What has no rule left after a removal, and is removed as well."""

    bots: Sequence[BotId] = ()
    categories: Sequence[str] = ()
    regions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an import would do.

    ``bots`` are the IDs of all bots. ``kept`` counts the periods that are not in the file and stay in the registry.
    """

    bots: Mapping[BotId, int]
    domains: tuple[str, ...]
    added: tuple[Change, ...]
    changed: tuple[Change, ...]
    removed: tuple[Change, ...]
    unused: Unused
    kept: int
    problems: list[Problem]

    @property
    def is_empty(self) -> bool:
        return not (self.domains or self.added or self.changed or self.removed)


def make_plan(desired: DesiredRegistry, *, prune: bool, create_domains: bool) -> Plan:
    """Compare ``desired`` with the database. The plan stays valid while the registry is locked."""
    domains = _slugs(Domain)
    bots = _bots(domains)
    stored = _stored_periods(bots)
    new_domains = tuple(slug for slug in desired.domains if slug not in domains.values())
    changes = [change for key, rule in desired.rules.items() for change in _changes(key, stored.get(key, ()), rule)]
    for key in stored:
        if key.bot.domain in desired.domains and key not in desired.rules:
            changes += [Change(key, row, None) for row in stored[key]]
    not_in_file = [change for change in changes if change.new is None]
    return Plan(
        bots=bots,
        domains=new_domains,
        added=tuple(change for change in changes if change.old is None),
        changed=tuple(change for change in changes if change.old and change.new),
        removed=tuple(not_in_file) if prune else (),
        unused=_unused(desired, not_in_file, stored, bots) if prune else Unused(),
        kept=0 if prune else len(not_in_file),
        problems=[
            *(_unknown_domain(slug, desired.domains[slug]) for slug in new_domains if not create_domains),
            *(_overlaps(desired, not_in_file) if not prune else ()),
        ],
    )


# The tables are read one by one and joined here: after a large import the database's statistics are outdated for a
# while, and the join that it then plans can take a minute.


def _slugs(model: type[Domain | Region | Category]) -> dict[int, str]:
    return dict(model._default_manager.values_list("id", "slug"))  # noqa: SLF001 (Django's documented API)


def _bots(domains: Mapping[int, str]) -> dict[BotId, int]:
    categories = _slugs(Category)
    rows = Bot.objects.order_by().values_list("id", "domain_id", "category_id", "name")
    return {BotId(domains[domain], categories[category], name): row for row, domain, category, name in rows}


def _stored_periods(bots: Mapping[BotId, int]) -> dict[RuleKey, list[StoredPeriod]]:
    """Return every period of every rule of the registry."""
    names, regions = {row: bot for bot, row in bots.items()}, _slugs(Region)
    columns = ("id", "bot_id", "region_id", "valid_from", "valid_until", *ROUTE_FIELDS)
    found: dict[RuleKey, list[StoredPeriod]] = {}
    for row, bot, region, start, end, *values in Route.objects.order_by().values_list(*columns):
        fields = PeriodFields(Period(start, end), tuple(values))
        found.setdefault(RuleKey(names[bot], regions[region]), []).append(StoredPeriod(row, fields))
    overrides = Override.objects.order_by().values_list("key", "value", *columns)
    for key, value, row, bot, region, start, end, *values in overrides:
        rule_key = RuleKey(names[bot], regions[region] if region else None, Qualifier(key, value))
        found.setdefault(rule_key, []).append(StoredPeriod(row, PeriodFields(Period(start, end), tuple(values))))
    return found


def _changes(key: RuleKey, stored: Iterable[StoredPeriod], rule: DesiredRule) -> Iterator[Change]:
    """Pair the rows with the file's periods by their start; the rest in order, as their start has changed."""
    by_start = {row.fields.period.start: row for row in stored}
    unpaired = []
    for fields in rule.periods:
        row = by_start.pop(fields.period.start, None)
        if row is None:
            unpaired.append(fields)
        elif row.fields != fields:
            yield Change(key, row, fields)
    for row, fields in zip_longest(sorted(by_start.values(), key=lambda row: row.fields.sort_key()), unpaired):
        yield Change(key, row, fields)


def _unknown_domain(slug: str, mark: Mark) -> Problem:
    return Problem(
        f"The domain {slug!r} is not registered. Check its spelling, add it in the admin with its Stripe account, "
        "or import with --create-domains.",
        mark,
    )


def _overlaps(desired: DesiredRegistry, not_in_file: Iterable[Change]) -> Iterator[Problem]:
    """Find the periods of the file that overlap one which is in the registry alone, and would be kept."""
    for key, old, _ in not_in_file:
        rule = desired.rules.get(key)
        if rule and old and any(fields.period.overlaps(old.fields.period) for fields in rule.periods):
            yield Problem(
                f"The registry has a period of {key} that overlaps one in the file: {old.fields}. "
                "Add all its periods to the file, or import with --prune to remove the others.",
                rule.mark,
            )


def _unused(
    desired: DesiredRegistry, removed: Iterable[Change], stored: Mapping[RuleKey, object], bots: Iterable[BotId]
) -> Unused:
    """Return the bots and regions that have no rule left, and the categories that have no bot left, in any domain."""
    removed_keys = {change.key for change in removed}
    kept = desired.rules.keys() | (stored.keys() - removed_keys)
    unused = {key.bot for key in removed_keys} - {key.bot for key in kept}
    categories = {bot.category for bot in unused}
    categories -= {bot.category for bot in [*bots, *(key.bot for key in desired.rules)] if bot not in unused}
    regions = {key.region for key in removed_keys} - {key.region for key in kept} - {DEFAULT_REGION}
    return Unused(sorted(unused), sorted(categories), sorted(region for region in regions if region))
