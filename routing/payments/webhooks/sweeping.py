"""Fetches the events that never came: each domain's list at Stripe, from where it was last read."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models.functions import Now

from routing.errors import BillingError
from routing.payments import gateway
from routing.payments.accounts import keys_of
from routing.payments.webhook_events import EventCursor, Source, WebhookEvent
from routing.payments.webhooks import EVENT_TYPES
from routing.payments.webhooks.receiving import NotAnEvent, read_event, store
from routing.registry import snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from routing.payments.answers import JSONObject
    from routing.registry.rules import DomainRule

OVERLAP = timedelta(minutes=5)
"""Read again before the newest event seen: one that happened earlier may be listed later."""

FIRST_REACH = timedelta(days=1)
"""How far back the first sweep of a domain looks; Stripe tries for three days to send what it has."""

logger = logging.getLogger(__name__)


def sweep() -> None:
    """Store what every domain's list holds and is not stored yet; a domain that cannot be read waits for the next."""
    current = snapshot.current()
    for domain in current.table.domains.values():
        try:
            _sweep(domain, otherwise=current.now() - FIRST_REACH)
        except BillingError as error:
            logger.warning("The events of the domain %s could not be fetched: %s", domain.slug, error)


def _sweep(domain: DomainRule, *, otherwise: datetime) -> None:
    """Read the list to its end, store it, and only then move the cursor: a crash before that reads it again."""
    cursor = EventCursor.objects.filter(domain=domain.slug).first()
    seen_until = cursor.seen_until if cursor else otherwise
    keys, _ = keys_of(domain)
    params = {"types": EVENT_TYPES, "created": {"gte": int((seen_until - OVERLAP).timestamp())}}
    events = [event for found in gateway.listed(keys, "/v1/events", params) if (event := _read(found, domain))]
    store(events)
    newest = max((event.created for event in events), default=seen_until)
    EventCursor.objects.update_or_create(domain=domain.slug, defaults={"seen_until": newest, "swept_at": Now()})


def _read(found: JSONObject, domain: DomainRule) -> WebhookEvent | None:
    try:
        return read_event(found, domain, Source.SWEEP)
    except NotAnEvent as refusal:
        logger.warning("An event of the domain %s was left out. %s", domain.slug, refusal)
        return None
