"""Applies stored events to the ledger.

1. Claim one event that is due: postpone it by more than the calls to Stripe can take, commit. 2. Fetch its object, with
no transaction open. 3. In one transaction apply the object and mark the event as applied. A crash before that commits
leaves the event to come due again; applying it twice changes nothing.

Any number of processes may do this at once, on any number of machines.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from routing.backoff import backoff_seconds
from routing.errors import BillingError, UnknownDomain
from routing.keys.redaction import redact
from routing.payments.kinds import is_renewal, with_payment_id
from routing.payments.settlement import evidence, renewals
from routing.payments.settlement.evidence import Finding
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.webhooks import fetching
from routing.payments.webhooks.models import WebhookEvent
from routing.postgres import connection
from routing.registry import snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from routing.payments.webhooks.fetching import FetchedObjects

KEPT = timedelta(days=90)
"""How long an applied event can be looked up; Stripe itself keeps events for 30 days."""

NOT_A_PAYMENT = "not about a payment"
DELETED = "the object was deleted at Stripe"

_LEASE_SECONDS = gateway.MAX_CALL_SECONDS * (fetching.MAX_CALLS + 1)
"""The calls that fetch an event's objects, and the one that may read the account."""

_FIRST_RETRY_SECONDS = 2.0
_MAX_RETRY_SECONDS = 3600.0

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
class _ClaimedEvent:
    """An event that this worker applies, and the database's time before it fetched anything."""

    event: WebhookEvent
    now: datetime


class _NotYet(Exception):  # noqa: N818 (named for what it says)
    """The payment is changing right now; the event is applied again in a moment."""


def apply_due() -> int:
    """Apply every event that is due; return how many were tried."""
    count = 0
    while claimed := _claim():
        _apply(claimed)
        count += 1
    return count


def delete_old() -> None:
    """Delete the events that were applied long ago."""
    WebhookEvent.objects.filter(applied_at__lt=Now() - KEPT).delete()


def _claim() -> _ClaimedEvent | None:
    with connection() as database:
        row = database.execute(_CLAIM, {"lease_seconds": _LEASE_SECONDS}).fetchone()
    return _ClaimedEvent(now=row.pop("now"), event=WebhookEvent(**row)) if row else None


def _apply(claimed: _ClaimedEvent) -> None:
    event = claimed.event
    try:
        fetched = _fetch(event)
        with transaction.atomic():
            finding = _apply_objects(claimed, fetched)
            WebhookEvent.objects.filter(id=event.id, applied_at=None).update(
                applied_at=Now(), finding=finding, last_error=""
            )
    except Exception as error:  # noqa: BLE001 (whatever is wrong with one event, the next ones are applied)
        _postpone(event, error)
    else:
        logger.info("The event %s (%s %s) is applied: %s.", event.event_id, event.type, event.object_id, finding)


def _fetch(event: WebhookEvent) -> FetchedObjects | None:
    if not fetching.concerns_payments(event):
        return None
    domain = snapshot.current().table.domains.get(event.domain)
    if domain is None:
        raise UnknownDomain(f"The domain {event.domain!r} is no longer in the registry.")
    keys, _ = load_keys(domain)
    fetched = fetching.fetch(event, keys)
    if fetched is None or fetched.payment_object is None or not is_renewal(fetched.payment_object):
        return fetched
    renewal = renewals.take_in(fetched.payment_object, keys, domain=event.domain)
    named = with_payment_id(fetched.payment_object, renewal.id) if renewal else None
    return replace(fetched, payment_object=named, renewal=renewal)


def _apply_objects(claimed: _ClaimedEvent, fetched: FetchedObjects | None) -> str:
    """Apply what was fetched to the ledger; return what came of it."""
    event = claimed.event
    if fetched is None:
        return DELETED if fetching.concerns_payments(event) else NOT_A_PAYMENT
    if fetched.charge:
        evidence.apply_charge(fetched.charge, domain=event.domain)
    renewals.show_subscription(fetched.named, domain=event.domain)
    if fetched.payment_object is None:
        return Finding.NO_PAYMENT.value
    if fetched.renewal and fetched.renewal.created_at > claimed.now:
        return Finding.RENEWED.value
    if event.object_type == "refund" and fetched.payment_object is not fetched.named:
        return Finding.REFUNDED.value
    if event.object_type == "dispute":
        finding = evidence.apply_dispute(
            fetched.named, fetched.payment_object, domain=event.domain, read_after=claimed.now
        )
    else:
        finding = evidence.apply_evidence(fetched.payment_object, domain=event.domain, read_after=claimed.now)
    if finding in {Finding.LEASED, Finding.STALE}:
        raise _NotYet(finding.value)
    if finding in {Finding.UNCLEAR, Finding.LEFT}:
        evidence.expedite_recovery(fetched.payment_object, domain=event.domain)
    return str(finding.value)


def _postpone(event: WebhookEvent, error: Exception) -> None:
    """Try the event again later."""
    is_sentence = isinstance(error, (BillingError, _NotYet))
    reason = redact(str(error) if is_sentence else f"{type(error).__name__}: {error}")
    logger.warning("The event %s (%s) could not be applied: %s", event.event_id, event.type, reason)
    seconds = backoff_seconds(event.attempts, first_seconds=_FIRST_RETRY_SECONDS, max_seconds=_MAX_RETRY_SECONDS)
    WebhookEvent.objects.filter(id=event.id, applied_at=None).update(
        next_attempt_at=Now() + timedelta(seconds=seconds), last_error=reason
    )
