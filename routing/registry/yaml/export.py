"""Writes a routing table as a file that can be imported again."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from routing.registry.models import ROUTE_FIELDS
from routing.registry.yaml.routes import OVERRIDES, PERIODS
from routing.registry.yaml.rules import EVERY_REGION, PeriodFields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from routing.registry.rules import BotRules, OverrideRule, Period
    from routing.registry.table import RoutingTable

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NOT_ALWAYS_STRINGS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def as_json(table: RoutingTable) -> str:
    return json.dumps(_tree(table), indent=2) + "\n"


def as_yaml(table: RoutingTable) -> str:
    return "".join(f"{line}\n" for line in _lines(_tree(table)))


def _tree(table: RoutingTable) -> dict[str, Any]:
    """Return domain → region → business category → bot → fields, in order. A bot without rules is left out."""
    tree: dict[str, Any] = {}
    bots = ((bot, region, of) for bot, rules in table.bots.items() for region, of in _by_region(rules).items())
    for bot, region, fields in sorted(bots, key=lambda found: (found[0].domain, found[1], found[0])):
        regions = tree.setdefault(bot.domain, {})
        regions.setdefault(region, {}).setdefault(bot.category, {})[bot.name] = fields
    return tree


def _by_region(rules: BotRules) -> dict[str, dict[str, Any]]:
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for region, routes in rules.routes.items():
        values = ((rule.period, {field: getattr(rule.route, field) for field in ROUTE_FIELDS}) for rule in routes)
        found[region] = _periods(values)
    for (key, value), overrides in sorted(rules.overrides.items()):
        for region, in_region in _group_by_region(overrides).items():
            keys = found[region].setdefault(OVERRIDES, {})
            keys.setdefault(key, {})[value] = _periods((rule.period, rule.changes) for rule in in_region)
    return found


def _group_by_region(overrides: Iterable[OverrideRule]) -> dict[str, list[OverrideRule]]:
    found: defaultdict[str, list[OverrideRule]] = defaultdict(list)
    for rule in overrides:
        found[rule.region or EVERY_REGION].append(rule)
    return found


def _periods(rules: Iterable[tuple[Period, Mapping[str, str]]]) -> dict[str, Any]:
    """Return the fields of the one period, or a list of all periods."""
    fields = [PeriodFields(period, tuple(values.get(field) for field in ROUTE_FIELDS)) for period, values in rules]
    periods = [each.as_dict() for each in sorted(fields, key=PeriodFields.sort_key)]
    return dict(periods[0]) if len(periods) == 1 else {PERIODS: periods}


def _lines(tree: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, str):
            yield f"{indent}{_scalar(name)}: {_scalar(value)}"
            continue
        yield f"{indent}{_scalar(name)}:"
        if isinstance(value, list):
            for item in value:
                first, *others = _lines(item, f"{indent}    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from others
        else:
            yield from _lines(value, f"{indent}  ")


def _scalar(text: str) -> str:
    """Quote what some YAML parser would not read as a string."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_ALWAYS_STRINGS
    return text if is_plain else json.dumps(text)
