"""Applies stored events to the ledger.

1. Claim one event that is due: put it off by more than a look at Stripe can take, commit. 2. Look, with no transaction
open. 3. In one transaction weigh what was seen and mark the event done. A crash before that commits leaves the event
to come due again; to weigh twice changes nothing.

Any number of processes may do this at once, on any number of machines.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from routing.errors import BillingError, UnknownDomain
from routing.keys.redaction import redact
from routing.payments import evidence, gateway
from routing.payments.accounts import keys_of
from routing.payments.evidence import Finding
from routing.payments.webhook_events import WebhookEvent
from routing.payments.webhooks import looking
from routing.postgres import connection
from routing.registry import snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from routing.payments.webhooks.looking import Seen

KEPT = timedelta(days=90)
"""How long an applied event can be looked up; Stripe itself keeps events for 30 days."""

NO_PAYMENTS = "this kind of object says nothing of a payment"
GONE = "Stripe has the object no more"

_LEASE_SECONDS = gateway.LONGEST_CALL_SECONDS * (looking.MOST_CALLS + 1)
"""The calls of a look, and the one that may ask whose account it is."""

_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 3600.0

_CLAIM = """
WITH due AS (
    SELECT id FROM routing_webhookevent
    WHERE applied_at IS NULL AND next_attempt_at <= clock_timestamp()
    ORDER BY next_attempt_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE routing_webhookevent AS event
SET attempts = attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM due WHERE event.id = due.id
RETURNING event.*, clock_timestamp() AS now
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Claimed:
    """An event that this worker is at, and the database's time before it looked."""

    event: WebhookEvent
    now: datetime


class _NotYet(Exception):  # noqa: N818 (named for what it says)
    """The payment is changing right now; what was seen of it is looked at again in a moment."""


def apply_due() -> int:
    """Apply every event that is due; return how many were looked into."""
    count = 0
    while claimed := _claim():
        _apply(claimed)
        count += 1
    return count


def forget_old() -> None:
    """Delete the events that were applied long ago."""
    WebhookEvent.objects.filter(applied_at__lt=Now() - KEPT).delete()


def _claim() -> _Claimed | None:
    with connection() as database:
        row = database.execute(_CLAIM, {"lease_seconds": _LEASE_SECONDS}).fetchone()
    return _Claimed(now=row.pop("now"), event=WebhookEvent(**row)) if row else None


def _apply(claimed: _Claimed) -> None:
    event = claimed.event
    try:
        seen = _look(event)
        with transaction.atomic():
            finding = _weigh(claimed, seen)
            WebhookEvent.objects.filter(id=event.id, applied_at=None).update(
                applied_at=Now(), finding=finding, last_error=""
            )
    except Exception as error:  # noqa: BLE001 (whatever is wrong with one event, the next ones are applied)
        _put_off(event, error)
    else:
        logger.info("The event %s (%s %s) is applied: %s.", event.event_id, event.type, event.object_id, finding)


def _look(event: WebhookEvent) -> Seen | None:
    if not looking.concerns_payments(event):
        return None
    domain = snapshot.current().table.domains.get(event.domain)
    if domain is None:
        raise UnknownDomain(f"The domain {event.domain!r} is in the registry no more.")
    keys, _ = keys_of(domain)
    return looking.look(event, keys)


def _weigh(claimed: _Claimed, seen: Seen | None) -> str:
    """Let the ledger know what was seen, and say what came of it."""
    event = claimed.event
    if seen is None:
        return GONE if looking.concerns_payments(event) else NO_PAYMENTS
    if seen.carrier is None:
        return Finding.NO_PAYMENT.value
    if event.object_type == "dispute":
        finding = evidence.consider_dispute(seen.named, seen.carrier, domain=event.domain, read_after=claimed.now)
    else:
        finding = evidence.consider(seen.carrier, domain=event.domain, read_after=claimed.now)
    if finding in {Finding.HELD, Finding.STALE}:
        raise _NotYet(finding.value)
    if finding in {Finding.UNCLEAR, Finding.LEFT}:
        evidence.hasten(seen.carrier, domain=event.domain)
    return str(finding.value)


def _put_off(event: WebhookEvent, error: Exception) -> None:
    """Try the event again later, longer each time, and never at the same moment as another."""
    is_sentence = isinstance(error, (BillingError, _NotYet))
    reason = redact(str(error) if is_sentence else f"{type(error).__name__}: {error}")
    logger.warning("The event %s (%s) could not be applied: %s", event.event_id, event.type, reason)
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(event.attempts, 12))
    pause = timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311 (not a secret)
    WebhookEvent.objects.filter(id=event.id, applied_at=None).update(next_attempt_at=Now() + pause, last_error=reason)
