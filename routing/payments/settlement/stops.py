"""What must not be sent any more: a payment whose bot is paused, whose token was revoked, or whose route is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.access.models import BotToken
from routing.errors import RoutingError
from routing.identifiers import BotId
from routing.registry.table import resolve

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment
    from routing.registry.snapshot import Snapshot


def reason_to_stop(payment: Payment, snapshot: Snapshot) -> str:
    """Return why the payment would be refused if it were requested now; empty where it would not.

    A refund needs no route: it is possible after the route has ended.
    """
    bot = BotId.parse(payment.bot)
    if pause := snapshot.table.pause_of(bot):
        return str(pause)
    if BotToken.objects.filter(prefix=payment.token_prefix, revoked_at__isnull=False).exists():
        return "The token that it was requested with was revoked."
    if payment.refund_of_id:
        return ""
    try:
        resolve(snapshot.table, bot, payment.overrides, snapshot.now())
    except RoutingError as error:
        return str(error)
    return ""
