"""What must not be sent any more: a payment whose bot is paused, whose token was revoked, or whose route is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.access.models import BotToken
from routing.errors import BillingError, RoutingError
from routing.identifiers import BotId
from routing.registry import snapshot as snapshots
from routing.registry.table import resolve

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from routing.payments.ledger.models import Payment
    from routing.registry.snapshot import Snapshot


def revoked_among(prefixes: Iterable[str]) -> set[str]:
    """Return those prefixes whose tokens were revoked."""
    revoked = BotToken.objects.filter(prefix__in=set(prefixes), revoked_at__isnull=False)
    return set(revoked.values_list("prefix", flat=True))


def reason_to_stop(payment: Payment, snapshot: Snapshot, revoked: Container[str]) -> str:
    """Return why the payment would be refused if it were requested now; empty where it would not.

    ``revoked`` has the prefix of the payment's token if that was revoked. A refund needs no route: it is possible after
    the route has ended.
    """
    bot = BotId.parse(payment.bot)
    if pause := snapshot.table.pause_of(bot):
        return str(pause)
    if payment.token_prefix in revoked:
        return "The token that it was requested with was revoked."
    if payment.refund_of_id:
        return ""
    try:
        resolve(snapshot.table, bot, payment.overrides, snapshot.now())
    except RoutingError as error:
        return str(error)
    return ""


def reason_not_to_go_on(payment: Payment) -> str:
    """Return why a sender may not begin the payment's next call; empty where it may, or where that cannot be read.

    Its token was checked when the payment was written; a pause and the end of its route are seen within a second.
    """
    try:
        return reason_to_stop(payment, snapshots.current(), revoked=())
    except BillingError:
        return ""


def stopped(reason: str) -> dict[str, Any]:
    """Return the columns of a payment that was stopped."""
    return {"error": {"code": "stopped", "message": reason}}
