"""Whose rows a change is about: only people who work in all of these domains see and decide it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from routing.approval.models import EVERY_DOMAIN
from routing.postgres.queries import execute

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = tuple[str, str]
    """A table and an id in it."""

_OF_A_BOT = """
SELECT row.id, slug FROM {table} AS row JOIN routing_bot AS bot ON bot.id = row.bot_id
JOIN routing_domain AS domain ON domain.id = bot.domain_id WHERE row.id = ANY(%s)
"""

_DOMAINS = {
    "routing_domain": "SELECT id, slug FROM routing_domain WHERE id = ANY(%s)",
    "routing_bot": (
        "SELECT bot.id, slug FROM routing_bot AS bot JOIN routing_domain AS domain ON domain.id = bot.domain_id "
        "WHERE bot.id = ANY(%s)"
    ),
    "routing_route": _OF_A_BOT.format(table="routing_route"),
    "routing_override": _OF_A_BOT.format(table="routing_override"),
    "routing_cap": """
        SELECT cap.id, COALESCE(own.slug, of_bot.slug, of_token, '*') FROM routing_cap AS cap
        LEFT JOIN routing_domain AS own ON own.id = cap.domain_id
        LEFT JOIN routing_bot AS bot ON bot.id = cap.bot_id
        LEFT JOIN routing_domain AS of_bot ON of_bot.id = bot.domain_id
        LEFT JOIN (SELECT id, split_part(unnest(bots), ':', 1) AS of_token FROM routing_bottoken) AS token
            ON token.id = cap.token_id
        WHERE cap.id = ANY(%s)
    """,
    "routing_requestedrefund": (
        "SELECT row.id, domain FROM routing_requestedrefund AS row "
        "JOIN routing_payment AS payment ON payment.id = row.payment_id WHERE row.id = ANY(%s)"
    ),
    "routing_bottoken": "SELECT id, split_part(unnest(bots), ':', 1) FROM routing_bottoken WHERE id = ANY(%s)",
}
"""By table: SQL for the ids of some of its rows with their domains' names. Those of any other are of every domain."""


def domains_of(rows: Iterable[Row]) -> dict[Row, set[str]]:
    """Return the names of the domains that each of the rows belongs to now, ``*`` if not to one; none if it is gone."""
    found: dict[Row, set[str]] = defaultdict(set)
    ids: dict[str, list[int]] = defaultdict(list)
    for table, row_id in rows:
        ids[table].append(int(row_id))
        if table not in _DOMAINS:
            found[table, row_id].add(EVERY_DOMAIN)
    for table in ids.keys() & _DOMAINS.keys():
        for row_id, slug in execute(_DOMAINS[table], [ids[table]]):
            found[table, str(row_id)].add(slug)
    return found
