"""Whose a customer is: a route is no way to charge the customer of another bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.db import connection

from routing.errors import NotPermitted
from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.registry.models import Override, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from routing.identifiers import BotId

_MAX_OTHERS = 5
_MAX_SHARED = 100

_BOT_NAME = "d.slug || ':' || c.slug || ':' || b.name"

_BOTS = (
    "routing_bot AS b JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS c ON c.id = b.category_id"
)

_NEWLY_SHARED = f"""
WITH named AS (
    SELECT DISTINCT b.id AS bot_id, {_BOT_NAME} AS bot, d.slug AS domain, entry.after->>'customer_id' AS customer_id
    FROM routing_auditentry AS entry
    JOIN ({_BOTS}) ON b.id = (entry.after->>'bot_id')::bigint
    WHERE entry.at >= transaction_timestamp() AND entry.transaction_id = pg_current_xact_id()::text
        AND entry.table_name IN ('routing_route', 'routing_override') AND entry.after->>'customer_id' IS NOT NULL
        AND entry.after->>'customer_id' IS DISTINCT FROM entry.before->>'customer_id'
)
SELECT named.bot, named.customer_id, array_agg(DISTINCT owner.bot ORDER BY owner.bot)
FROM named CROSS JOIN LATERAL (
    (SELECT {_BOT_NAME} AS bot FROM routing_route AS r JOIN ({_BOTS}) ON b.id = r.bot_id
     WHERE r.customer_id = named.customer_id AND d.slug = named.domain AND b.id <> named.bot_id LIMIT {_MAX_OTHERS})
    UNION ALL
    (SELECT {_BOT_NAME} FROM routing_override AS o JOIN ({_BOTS}) ON b.id = o.bot_id
     WHERE o.customer_id = named.customer_id AND d.slug = named.domain AND b.id <> named.bot_id LIMIT {_MAX_OTHERS})
    UNION ALL
    (SELECT p.bot FROM routing_payment AS p
     WHERE p.object_id = named.customer_id AND p.object_id <> '' AND p.kind = 'customer' AND p.domain = named.domain
         AND p.bot <> named.bot LIMIT {_MAX_OTHERS})
) AS owner
GROUP BY named.bot, named.customer_id ORDER BY 1, 2 LIMIT {_MAX_SHARED}
"""  # noqa: S608 (of this module's own texts)


class SharedCustomer(NamedTuple):
    """A customer that ``bot`` would charge, and the other bots whose it is."""

    bot: str
    customer_id: str
    others: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.customer_id}, for {self.bot}: also the customer of {', '.join(self.others)}"


def require_own_customer(bot: BotId, values: Mapping[str, str | None], *, speaks_for: Callable[[str], bool]) -> None:
    """Raise ``NotPermitted`` if the values name a customer of a bot for which the caller does not speak.

    Whoever speaks for that bot can charge its customer anyway. The registry is locked meanwhile.
    """
    customer_id = values.get("customer_id")
    if customer_id and not all(map(speaks_for, other_owners(str(bot), bot.domain, customer_id))):
        raise NotPermitted(
            f"The customer {customer_id!r:.100} is another bot's, so that no bot may register a route that charges it. "
            "Ask finance staff to add the route in the admin.",
            field="customer_id",
        )


def other_owners(bot: str, domain: str, customer_id: str) -> tuple[str, ...]:
    """Return the other bots of the domain that have a route or an override for the customer, or that created it."""
    owners: set[str] = set()
    for model in (Route, Override):
        rules = model._default_manager.filter(customer_id=customer_id, bot__domain__slug=domain)  # noqa: SLF001 (Django's documented API)
        owners |= {str(rule.bot) for rule in rules.select_related("bot__domain", "bot__category")}
    created = Payment.objects.filter(object_id=customer_id, kind=Kind.CUSTOMER, domain=domain)
    owners |= set(created.order_by().values_list("bot", flat=True))
    return tuple(sorted(owners - {bot}))


def newly_shared() -> list[SharedCustomer]:
    """Return up to a hundred customers of other bots that this transaction has named in a route or an override."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWLY_SHARED)
        return [SharedCustomer(bot, customer, tuple(others)) for bot, customer, others in cursor.fetchall()]
