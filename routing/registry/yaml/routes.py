"""Reads the registry that a file wants from its nodes, and every problem of what it says."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from routing.errors import InvalidRequest
from routing.identifiers import BotId
from routing.registry.fields import (
    DEFAULT_CURRENCY,
    check_field,
    check_override_key,
    check_slug,
    check_value,
    parse_moment,
    require_change,
    require_route,
    shown,
)
from routing.registry.models import ROUTE_FIELDS
from routing.registry.rules import Period
from routing.registry.yaml.document import Block, Items, Text
from routing.registry.yaml.problems import Mark, Problem
from routing.registry.yaml.rules import EVERY_REGION, Place, Qualifier, Term, Wanted, WantedRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from routing.registry.yaml.document import Entry, Node

    _Given = ParamSpec("_Given")
    _Checked = TypeVar("_Checked")

OVERRIDES = "overrides"
PERIODS = "periods"
"""Stands in place of the fields of a rule that changes with time, and lists them for each period."""

_EDGES = ("valid_from", "valid_until")
_RULE_FIELDS = (*ROUTE_FIELDS, *_EDGES)

_DOMAIN, _REGION, _CATEGORY, _BOT, _KEY, _VALUE = (
    "domain", "region", "business category", "bot name", "override's key", "override's value",
)  # fmt: skip
_CHECKS: Mapping[str, Callable[[str], str]] = {
    _REGION: lambda name: name if name == EVERY_REGION else check_slug(_REGION, name),
    _KEY: check_override_key,
}
_EXAMPLES = {
    _REGION: "a region such as 'default'",
    _CATEGORY: "a business category such as 'finance'",
    _BOT: "a bot such as 'finance_router_bot'",
    _KEY: "a qualifier such as 'business'",
    _VALUE: "a value such as 'enterprise'",
}


def read_wanted(root: Node) -> tuple[Wanted, list[Problem]]:
    """Return what is right in the file, and every problem of the rest."""
    reader = _Reader()
    if isinstance(root, Block):
        reader.read(root)
    elif root is not None:
        reader.refuse("The file must begin with a domain, such as 'stripe:', and hold its regions.", root.mark)
    return reader.wanted, reader.problems


class _Reader:
    def __init__(self) -> None:
        self.wanted = Wanted({}, {})
        self.problems: list[Problem] = []

    def refuse(self, message: str, mark: Mark) -> None:
        self.problems.append(Problem(message, mark))

    def read(self, root: Block) -> None:
        for domain, of_domain in self._named(root, _DOMAIN):
            self.wanted.domains[domain] = of_domain.mark
            for region, of_region in self._within(domain, of_domain, _REGION):
                for category, of_category in self._within(region, of_region, _CATEGORY):
                    for name, of_bot in self._within(category, of_category, _BOT):
                        self._bot(BotId(domain, category, name), region, of_bot)

    def _within(self, name: str, entry: Entry, kind: str) -> Iterator[tuple[str, Entry]]:
        block = self._block(name, entry, _EXAMPLES[kind])
        return self._named(block, kind) if block else iter(())

    def _named(self, block: Block, kind: str) -> Iterator[tuple[str, Entry]]:
        """Give the entries whose names are valid for their kind, and refuse the others."""
        check = _CHECKS.get(kind) or partial(check_slug, kind)
        for name, entry in block.entries.items():
            if self._accepted(entry.mark, check, name):
                yield name, entry

    def _block(self, name: str, entry: Entry, content: str) -> Block | None:
        """Return what stands below ``name``, which must be there and have names of its own."""
        if isinstance(entry.node, Block) and entry.node.entries:
            return entry.node
        if entry.node is not None:
            self.refuse(f"{shown(name)} must hold {content}, on a line of its own below it.", entry.mark)
        return None

    def _bot(self, bot: BotId, region: str, entry: Entry) -> None:
        block = self._block(bot.name, entry, "a route's fields or overrides")
        if block is None:
            return
        fields = dict(block.entries)
        overrides = fields.pop(OVERRIDES, None)
        if region == EVERY_REGION:
            for name, field in fields.items():
                self.refuse(f"{shown(name)} cannot stand here: the region '*' holds overrides only.", field.mark)
        elif fields:
            self._rule(Place(bot, region), fields, entry.mark)
        if overrides:
            self._overrides(bot, None if region == EVERY_REGION else region, overrides)

    def _overrides(self, bot: BotId, region: str | None, overrides: Entry) -> None:
        for key, of_key in self._within(OVERRIDES, overrides, _KEY):
            for value, of_value in self._within(key, of_key, _VALUE):
                if fields := self._block(value, of_value, "the fields that change"):
                    self._rule(Place(bot, region, Qualifier(key, value)), fields.entries, of_value.mark)

    def _rule(self, place: Place, fields: Mapping[str, Entry], mark: Mark) -> None:
        before = len(self.problems)
        terms = sorted((self._term(place, of, at) for of, at in self._periods(fields, mark)), key=Term.order)
        if len(self.problems) > before:
            return
        for earlier, later in pairwise(terms):
            if earlier.period.overlaps(later.period):
                self.refuse(
                    f"Two periods of {place} overlap: {earlier}; and {later}. Let one end where the next begins.", mark
                )
        self.wanted.rules[place] = WantedRule(tuple(terms), mark)

    def _periods(self, fields: Mapping[str, Entry], mark: Mark) -> Iterator[tuple[Mapping[str, Entry], Mark]]:
        """Give the fields of each period that the rule has."""
        periods = fields.get(PERIODS)
        if periods is None:
            yield fields, mark
            return
        for name, field in fields.items():
            if name != PERIODS:
                self.refuse(f"{shown(name)} cannot stand beside 'periods'. Move it into each period.", field.mark)
        if isinstance(periods.node, Items) and periods.node.nodes:
            for node in periods.node.nodes:
                if isinstance(node, Block):
                    yield node.entries, node.mark
                elif node is not None:
                    self.refuse("A period must hold fields, such as 'price_id:'.", node.mark)
        elif periods.node is not None:
            self.refuse("'periods' must hold a list, with '- ' before each period's fields.", periods.mark)

    def _term(self, place: Place, fields: Mapping[str, Entry], mark: Mark) -> Term:
        values = {} if place.qualifier else {"currency": DEFAULT_CURRENCY}
        edges: dict[str, datetime] = {}
        for name, entry in fields.items():
            text = self._text(name, entry)
            if text and name in _EDGES:
                if moment := self._accepted(text.mark, parse_moment, name, text.value):
                    edges[name] = moment
            elif text and (value := self._accepted(text.mark, check_value, name, text.value)):
                values[name] = value
        self._accepted(mark, require_change if place.qualifier else require_route, fields)
        period = Period(edges.get("valid_from"), edges.get("valid_until"))
        if period.start and period.end and period.start >= period.end:
            self.refuse("valid_until must be after valid_from.", fields["valid_until"].mark)
        return Term(period, tuple(values.get(field) for field in ROUTE_FIELDS))

    def _text(self, name: str, entry: Entry) -> Text | None:
        if name not in _RULE_FIELDS:
            self._accepted(entry.mark, check_field, name, _RULE_FIELDS)
        elif isinstance(entry.node, Text):
            return entry.node
        elif entry.node is not None:
            self.refuse(f"{name} must be a text, on the same line.", entry.node.mark)
        return None

    def _accepted(
        self, mark: Mark, check: Callable[_Given, _Checked], *given: _Given.args, **named: _Given.kwargs
    ) -> _Checked | None:
        """Return what the check makes of what is given, or refuse it with what the check says."""
        try:
            return check(*given, **named)
        except InvalidRequest as error:
            self.refuse(str(error), mark)
            return None
