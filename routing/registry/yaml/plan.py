"""Compares the registry that a file wants with the database's, and says what would change."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from routing.identifiers import DEFAULT_REGION, BotId
from routing.registry.models import ROUTE_FIELDS, Bot, Category, Domain, Override, Region, Route
from routing.registry.rules import Period
from routing.registry.yaml.problems import Mark, Problem
from routing.registry.yaml.rules import Place, Qualifier, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from routing.registry.yaml.rules import Wanted, WantedRule


class Held(NamedTuple):
    """A row of the database."""

    id: int
    term: Term


class Change(NamedTuple):
    """What becomes of a rule for a period: ``old`` None adds one, ``new`` None removes it."""

    place: Place
    old: Held | None
    new: Term | None


@dataclass(frozen=True, slots=True)
class Emptied:
    """What a removal leaves without any rule, and takes along."""

    bots: Sequence[BotId] = ()
    categories: Sequence[str] = ()
    regions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an import would do.

    ``bots`` are the rows of all that there are. ``unnamed`` counts the rules that the file leaves alone.
    """

    bots: Mapping[BotId, int]
    domains: tuple[str, ...]
    added: tuple[Change, ...]
    changed: tuple[Change, ...]
    removed: tuple[Change, ...]
    emptied: Emptied
    unnamed: int
    problems: list[Problem]

    @property
    def changes_nothing(self) -> bool:
        return not (self.domains or self.added or self.changed or self.removed)


def make_plan(wanted: Wanted, *, prune: bool, create_domains: bool) -> Plan:
    """Compare ``wanted`` with the database. The plan stays true for as long as the registry is locked."""
    domains = _slugs(Domain)
    bots = _bots(domains)
    held = _held(bots)
    new_domains = tuple(slug for slug in wanted.domains if slug not in domains.values())
    changes = [change for place, rule in wanted.rules.items() for change in _changes(place, held.get(place, ()), rule)]
    for place in held:
        if place.bot.domain in wanted.domains and place not in wanted.rules:
            changes += [Change(place, row, None) for row in held[place]]
    unnamed = [change for change in changes if change.new is None]
    return Plan(
        bots=bots,
        domains=new_domains,
        added=tuple(change for change in changes if change.old is None),
        changed=tuple(change for change in changes if change.old and change.new),
        removed=tuple(unnamed) if prune else (),
        emptied=_emptied(wanted, unnamed, held, bots) if prune else Emptied(),
        unnamed=0 if prune else len(unnamed),
        problems=[
            *(_unknown_domain(slug, wanted.domains[slug]) for slug in new_domains if not create_domains),
            *(_overlaps(wanted, unnamed) if not prune else ()),
        ],
    )


# The tables are read one by one and joined here: after a large import the database's statistics are old for a while,
# and what it then takes for the best way to join them can last a minute.


def _slugs(model: type[Domain | Region | Category]) -> dict[int, str]:
    return dict(model._default_manager.values_list("id", "slug"))  # noqa: SLF001 (Django's documented API)


def _bots(domains: Mapping[int, str]) -> dict[BotId, int]:
    categories = _slugs(Category)
    rows = Bot.objects.order_by().values_list("id", "domain_id", "category_id", "name")
    return {BotId(domains[domain], categories[category], name): row for row, domain, category, name in rows}


def _held(bots: Mapping[BotId, int]) -> dict[Place, list[Held]]:
    """Return every rule of the registry."""
    names, regions = {row: bot for bot, row in bots.items()}, _slugs(Region)
    columns = ("id", "bot_id", "region_id", "valid_from", "valid_until", *ROUTE_FIELDS)
    found: dict[Place, list[Held]] = {}
    for row, bot, region, start, end, *values in Route.objects.order_by().values_list(*columns):
        term = Term(Period(start, end), tuple(values))
        found.setdefault(Place(names[bot], regions[region]), []).append(Held(row, term))
    overrides = Override.objects.order_by().values_list("key", "value", *columns)
    for key, value, row, bot, region, start, end, *values in overrides:
        place = Place(names[bot], regions[region] if region else None, Qualifier(key, value))
        found.setdefault(place, []).append(Held(row, Term(Period(start, end), tuple(values))))
    return found


def _changes(place: Place, held: Iterable[Held], rule: WantedRule) -> Iterator[Change]:
    """Pair rows and terms by when they begin, and what is left of both in order: its beginning has moved."""
    by_start = {row.term.period.start: row for row in held}
    unpaired = []
    for term in rule.terms:
        row = by_start.pop(term.period.start, None)
        if row is None:
            unpaired.append(term)
        elif row.term != term:
            yield Change(place, row, term)
    for row, term in zip_longest(sorted(by_start.values(), key=lambda row: row.term.order()), unpaired):
        yield Change(place, row, term)


def _unknown_domain(slug: str, mark: Mark) -> Problem:
    return Problem(
        f"The domain {slug!r} is not registered. Check its spelling, add it in the admin with its Stripe account, "
        "or import with --create-domains.",
        mark,
    )


def _overlaps(wanted: Wanted, unnamed: Iterable[Change]) -> Iterator[Problem]:
    """Find the periods of the file that meet one of the database which the file does not name, and so would stay."""
    for place, old, _ in unnamed:
        rule = wanted.rules.get(place)
        if rule and old and any(term.period.overlaps(old.term.period) for term in rule.terms):
            yield Problem(
                f"The registry has a period of {place} that overlaps the file's: {old.term}. "
                "Give the file every period of it, or import with --prune to remove the others.",
                rule.mark,
            )


def _emptied(wanted: Wanted, removed: Iterable[Change], held: Mapping[Place, object], bots: Iterable[BotId]) -> Emptied:
    """Return the bots and regions that have no rule left, and the categories that have no bot left, in any domain."""
    removed_places = {change.place for change in removed}
    kept = wanted.rules.keys() | (held.keys() - removed_places)
    emptied = {place.bot for place in removed_places} - {place.bot for place in kept}
    categories = {bot.category for bot in emptied}
    categories -= {bot.category for bot in [*bots, *(place.bot for place in wanted.rules)] if bot not in emptied}
    regions = {place.region for place in removed_places} - {place.region for place in kept} - {DEFAULT_REGION}
    return Emptied(sorted(emptied), sorted(categories), sorted(region for region in regions if region))
