"""Reads the registry's rows in one database snapshot, and compiles them into a ``RoutingTable``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.errors import UndefinedTable

from routing.errors import RegistryBusy
from routing.identifiers import BotId
from routing.postgres import repeatable_read
from routing.registry.models import ROUTE_FIELDS
from routing.registry.rules import BotRules, DomainRule, OverrideRule, Pauses, Period, Route, RouteRule
from routing.registry.table import RoutingTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from uuid import UUID

    from routing.postgres.sessions import Connection

_Rule = TypeVar("_Rule")
_Key = TypeVar("_Key")

_HEAD = """
SELECT version, stamp, clock_timestamp() AS now,
       (SELECT reason FROM routing_pause WHERE resumed_at IS NULL) AS everything,
       ARRAY(SELECT slug FROM routing_domain WHERE is_paused) AS domains,
       ARRAY(SELECT slug FROM routing_category WHERE is_paused) AS categories,
       ARRAY(SELECT domain.slug || ':' || category.slug || ':' || bot.name FROM routing_bot AS bot
             JOIN routing_domain AS domain ON domain.id = bot.domain_id
             JOIN routing_category AS category ON category.id = bot.category_id
             WHERE bot.is_paused) AS bots
FROM routing_registryhead WHERE id = 1
"""

_BOTS = """
SELECT bot.id, domain.slug AS domain, category.slug AS category, bot.name
FROM routing_bot AS bot
JOIN routing_domain AS domain ON domain.id = bot.domain_id
JOIN routing_category AS category ON category.id = bot.category_id
"""

_ROUTES = """
SELECT route.bot_id, region.slug AS region, product_id, price_id, customer_id, currency, valid_from, valid_until
FROM routing_route AS route JOIN routing_region AS region ON region.id = route.region_id
"""

_OVERRIDES = """
SELECT rule.bot_id, region.slug AS region, key, value, product_id, price_id, customer_id, currency,
       valid_from, valid_until
FROM routing_override AS rule LEFT JOIN routing_region AS region ON region.id = rule.region_id
"""


@dataclass(frozen=True, slots=True)
class Head:
    """Which registry is in force, what is paused, and the database's time."""

    version: int
    stamp: UUID
    pauses: Pauses
    now: datetime


def read_head(database: Connection) -> Head:
    try:
        row = database.execute(_HEAD).fetchone()
    except UndefinedTable:
        raise RegistryBusy("The router's tables do not exist yet. Run: python manage.py migrate") from None
    if row is None:
        raise RegistryBusy("The registry is not set up in this database. Run: python manage.py migrate")
    paused = {name: frozenset(row[name]) for name in ("domains", "categories", "bots")}
    return Head(row["version"], row["stamp"], Pauses(row["everything"], **paused), row["now"])


def read_table(database: Connection) -> RoutingTable:
    """Read every rule in one snapshot of the database."""
    with repeatable_read(database):
        head = read_head(database)
        domains = database.execute("SELECT slug, account_id, key_path FROM routing_domain").fetchall()
        regions = database.execute("SELECT slug FROM routing_region").fetchall()
        categories = database.execute("SELECT slug FROM routing_category").fetchall()
        bots = database.execute(_BOTS).fetchall()
        routes = _group_by_bot(database.execute(_ROUTES), _route_rule, lambda rule: rule.region)
        overrides = _group_by_bot(database.execute(_OVERRIDES), _override_rule, lambda rule: (rule.key, rule.value))
    return RoutingTable(
        version=head.version,
        stamp=head.stamp,
        domains=MappingProxyType({row["slug"]: DomainRule(**row) for row in domains}),
        regions=frozenset(row["slug"] for row in regions),
        categories=frozenset(row["slug"] for row in categories),
        bots=MappingProxyType(
            {
                BotId(row["domain"], row["category"], row["name"]): BotRules(
                    routes=MappingProxyType(routes[row["id"]]),
                    overrides=MappingProxyType(overrides[row["id"]]),
                )
                for row in bots
            }
        ),
        pauses=head.pauses,
    )


def _group_by_bot(
    rows: Iterable[dict[str, Any]], make_rule: Callable[[dict[str, Any]], _Rule], make_key: Callable[[_Rule], _Key]
) -> defaultdict[int, dict[_Key, tuple[_Rule, ...]]]:
    """Return the rules by the ID of their bot, and then by their key."""
    found: defaultdict[int, dict[_Key, tuple[_Rule, ...]]] = defaultdict(dict)
    for row in rows:
        rule = make_rule(row)
        key = make_key(rule)
        found[row["bot_id"]][key] = (*found[row["bot_id"]].get(key, ()), rule)
    return found


def _route_rule(row: dict[str, Any]) -> RouteRule:
    return RouteRule(row["region"], Route(**{field: row[field] for field in ROUTE_FIELDS}), _period(row))


def _override_rule(row: dict[str, Any]) -> OverrideRule:
    changes = {field: row[field] for field in ROUTE_FIELDS if row[field] is not None}
    return OverrideRule(row["key"], row["value"], MappingProxyType(changes), row["region"], _period(row))


def _period(row: dict[str, Any]) -> Period:
    return Period(row["valid_from"], row["valid_until"])
