"""What is left of the caps on a payment, as bots read it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg

from routing.caps.models import amount_text
from routing.caps.triggers import CAPS_ON_PAYMENT
from routing.errors import DatabaseUnavailable
from routing.postgres import connection
from routing.timestamps import to_iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from routing.postgres.sessions import Connection
    from stripe_billing_router import schemas

logger = logging.getLogger(__name__)

_WITH_USAGE = """
SELECT cap.measure, cap.per, cap.scope, cap.since, cap.currency, cap."limit", usage.used, usage.reserved,
       greatest(cap."limit" - usage.used - usage.reserved, 0) AS left
FROM ({caps}) AS cap
CROSS JOIN LATERAL (
    SELECT coalesce(sum(used), 0)::bigint AS used, coalesce(sum(reserved), 0)::bigint AS reserved
    FROM routing_capusage WHERE cap_id = cap.id AND since >= cap.since
) AS usage
ORDER BY cap.id
"""

_ON_PAYMENT = _WITH_USAGE.format(
    caps=f"SELECT cap.* FROM routing_payment AS new CROSS JOIN LATERAL ({CAPS_ON_PAYMENT}) AS cap "  # noqa: S608 (of this module's own texts)
    "WHERE new.id = %(payment)s"
)

_OF_TOKEN = _WITH_USAGE.format(
    caps="""
    SELECT c.*, 'token ' || token.name AS scope, routing_cap_since(c.per, clock_timestamp()) AS since
    FROM routing_bottoken AS own JOIN routing_bottoken AS token ON token.id = coalesce(own.succeeds_id, own.id)
    JOIN routing_cap AS c ON c.token_id = token.id WHERE own.prefix = %(prefix)s
"""
)


def remaining_for(payment: UUID) -> list[schemas.Cap] | None:
    """Return the caps on a payment and what is left of each now; None where the database cannot tell.

    It never raises for a database that is away: the payment has been made, and its bot must hear of it.
    """
    try:
        with connection() as database:
            return on_payment(database, payment)
    except (DatabaseUnavailable, psycopg.Error):
        logger.exception("What is left of the caps on payment %s could not be read.", payment)
        return None


def on_payment(database: Connection, payment: UUID) -> list[schemas.Cap]:
    """Return the caps on a payment as this connection sees it, which may be in the middle of a transaction."""
    return [representation(cap) for cap in database.execute(_ON_PAYMENT, {"payment": payment}).fetchall()]


def remaining_on_token(prefix: str) -> list[schemas.Cap]:
    """Return the caps on a token itself, and what is left of each now."""
    with connection() as database:
        return [representation(cap) for cap in database.execute(_OF_TOKEN, {"prefix": prefix}).fetchall()]


def representation(cap: Mapping[str, Any]) -> schemas.Cap:
    """Return a cap as bots read it. ``since`` is when its period began, and None for a cap on each charge."""
    limit, used, reserved, left = (
        amount_text(cap[name], cap["currency"]) for name in ("limit", "used", "reserved", "left")
    )
    return {
        "measure": cap["measure"],
        "per": cap["per"],
        "scope": cap["scope"],
        "since": to_iso(cap["since"]),
        "limit": limit,
        "used": used,
        "reserved": reserved,
        "left": left,
    }
