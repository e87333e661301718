"""Reads the registry from a file's nodes, and finds every problem in it."""

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
    parse_time,
    require_change,
    require_route,
    safe_repr,
)
from routing.registry.models import ROUTE_FIELDS
from routing.registry.rules import Period
from routing.registry.yaml.document import Block, Items, Text
from routing.registry.yaml.problems import Mark, Problem
from routing.registry.yaml.rules import EVERY_REGION, DesiredRegistry, DesiredRule, PeriodFields, Qualifier, RuleKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from routing.registry.yaml.document import Entry, Node

    _Arguments = ParamSpec("_Arguments")
    _Checked = TypeVar("_Checked")

OVERRIDES = "overrides"
PERIODS = "periods"
"""The name under which a rule that changes over time lists the fields of each period."""

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


def read_registry(root: Node) -> tuple[DesiredRegistry, list[Problem]]:
    """Return the valid rules of the file, and every problem in the rest."""
    reader = _Reader()
    if isinstance(root, Block):
        reader.read(root)
    elif root is not None:
        reader.refuse("The file must start with a domain, such as 'stripe:', that contains its regions.", root.mark)
    return reader.desired, reader.problems


class _Reader:
    def __init__(self) -> None:
        self.desired = DesiredRegistry({}, {})
        self.problems: list[Problem] = []

    def refuse(self, message: str, mark: Mark) -> None:
        self.problems.append(Problem(message, mark))

    def read(self, root: Block) -> None:
        for domain, domain_entry in self._named(root, _DOMAIN):
            self.desired.domains[domain] = domain_entry.mark
            for region, region_entry in self._within(domain, domain_entry, _REGION):
                for category, category_entry in self._within(region, region_entry, _CATEGORY):
                    for name, bot_entry in self._within(category, category_entry, _BOT):
                        self._read_bot(BotId(domain, category, name), region, bot_entry)

    def _within(self, name: str, entry: Entry, kind: str) -> Iterator[tuple[str, Entry]]:
        block = self._block(name, entry, _EXAMPLES[kind])
        return self._named(block, kind) if block else iter(())

    def _named(self, block: Block, kind: str) -> Iterator[tuple[str, Entry]]:
        """Yield the entries whose names are valid for their kind, and refuse the others."""
        check = _CHECKS.get(kind) or partial(check_slug, kind)
        for name, entry in block.entries.items():
            if self._check(entry.mark, check, name):
                yield name, entry

    def _block(self, name: str, entry: Entry, content: str) -> Block | None:
        """Return the block under ``name``, which must not be empty."""
        if isinstance(entry.node, Block) and entry.node.entries:
            return entry.node
        if entry.node is not None:
            self.refuse(f"{safe_repr(name)} must contain {content}, on a separate line below it.", entry.mark)
        return None

    def _read_bot(self, bot: BotId, region: str, entry: Entry) -> None:
        block = self._block(bot.name, entry, "a route's fields or overrides")
        if block is None:
            return
        fields = dict(block.entries)
        overrides = fields.pop(OVERRIDES, None)
        if region == EVERY_REGION:
            for name, field in fields.items():
                self.refuse(
                    f"{safe_repr(name)} is not allowed here: the region '*' contains only overrides.", field.mark
                )
        elif fields:
            self._read_rule(RuleKey(bot, region), fields, entry.mark)
        if overrides:
            self._read_overrides(bot, None if region == EVERY_REGION else region, overrides)

    def _read_overrides(self, bot: BotId, region: str | None, overrides: Entry) -> None:
        for key, key_entry in self._within(OVERRIDES, overrides, _KEY):
            for value, value_entry in self._within(key, key_entry, _VALUE):
                if fields := self._block(value, value_entry, "the fields that change"):
                    self._read_rule(RuleKey(bot, region, Qualifier(key, value)), fields.entries, value_entry.mark)

    def _read_rule(self, key: RuleKey, fields: Mapping[str, Entry], mark: Mark) -> None:
        before = len(self.problems)
        periods = sorted(
            (self._read_period(key, entries, at) for entries, at in self._periods(fields, mark)),
            key=PeriodFields.sort_key,
        )
        if len(self.problems) > before:
            return
        for earlier, later in pairwise(periods):
            if earlier.period.overlaps(later.period):
                self.refuse(
                    f"Two periods of {key} overlap: {earlier}; and {later}. End one where the next starts.", mark
                )
        self.desired.rules[key] = DesiredRule(tuple(periods), mark)

    def _periods(self, fields: Mapping[str, Entry], mark: Mark) -> Iterator[tuple[Mapping[str, Entry], Mark]]:
        """Yield the fields of each period of the rule."""
        periods = fields.get(PERIODS)
        if periods is None:
            yield fields, mark
            return
        for name, field in fields.items():
            if name != PERIODS:
                self.refuse(
                    f"{safe_repr(name)} is not allowed next to 'periods'. Move it into each period.", field.mark
                )
        if isinstance(periods.node, Items) and periods.node.nodes:
            for node in periods.node.nodes:
                if isinstance(node, Block):
                    yield node.entries, node.mark
                elif node is not None:
                    self.refuse("A period must contain fields, such as 'price_id:'.", node.mark)
        elif periods.node is not None:
            self.refuse("'periods' must be a list, with '- ' before each period's fields.", periods.mark)

    def _read_period(self, key: RuleKey, fields: Mapping[str, Entry], mark: Mark) -> PeriodFields:
        values = {} if key.qualifier else {"currency": DEFAULT_CURRENCY}
        edges: dict[str, datetime] = {}
        for name, entry in fields.items():
            text = self._read_string(name, entry)
            if text and name in _EDGES:
                if time := self._check(text.mark, parse_time, name, text.value):
                    edges[name] = time
            elif text and (value := self._check(text.mark, check_value, name, text.value)):
                values[name] = value
        self._check(mark, require_change if key.qualifier else require_route, fields)
        period = Period(edges.get("valid_from"), edges.get("valid_until"))
        if period.start and period.end and period.start >= period.end:
            self.refuse("valid_until must be after valid_from.", fields["valid_until"].mark)
        return PeriodFields(period, tuple(values.get(field) for field in ROUTE_FIELDS))

    def _read_string(self, name: str, entry: Entry) -> Text | None:
        if name not in _RULE_FIELDS:
            self._check(entry.mark, check_field, name, _RULE_FIELDS)
        elif isinstance(entry.node, Text):
            return entry.node
        elif entry.node is not None:
            self.refuse(f"{name} must be a string on the same line.", entry.node.mark)
        return None

    def _check(
        self, mark: Mark, check: Callable[_Arguments, _Checked], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Checked | None:
        """Return the result of the check, or report its error as a problem."""
        try:
            return check(*args, **kwargs)
        except InvalidRequest as error:
            self.refuse(str(error), mark)
            return None
