"""Fetches the events that were never received, from each domain's list at Stripe, from where it was last read."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models.functions import Now

from routing.errors import BillingError
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.webhooks import EVENT_TYPES
from routing.payments.webhooks.models import EventCursor, Source, WebhookEvent
from routing.payments.webhooks.receiving import InvalidEvent, read_event, store
from routing.registry import snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from routing.payments.stripe_api.responses import JSONObject
    from routing.registry.rules import DomainRule

OVERLAP = timedelta(minutes=5)
"""Read again before the newest event seen: one that happened earlier may be listed later."""

FIRST_BACKFILL = timedelta(days=1)
"""How far back the first backfill of a domain goes; Stripe retries a webhook for three days."""

logger = logging.getLogger(__name__)


def backfill() -> None:
    """Store the events of every domain that are not stored yet; a domain that cannot be read waits for the next run."""
    current = snapshot.current()
    for domain in current.table.domains.values():
        try:
            _backfill(domain, otherwise=current.now() - FIRST_BACKFILL)
        except BillingError as error:
            logger.warning("The events of the domain %s could not be fetched: %s", domain.slug, error)


def _backfill(domain: DomainRule, *, otherwise: datetime) -> None:
    """Read the list to its end, store it, and only then move the cursor: a crash before that reads it again."""
    cursor = EventCursor.objects.filter(domain=domain.slug).first()
    seen_until = cursor.seen_until if cursor else otherwise
    keys, _ = load_keys(domain)
    params = {"types": EVENT_TYPES, "created": {"gte": int((seen_until - OVERLAP).timestamp())}}
    events = [event for found in gateway.list_all(keys, "/v1/events", params) if (event := _parse(found, domain))]
    store(events)
    newest = max((event.created for event in events), default=seen_until)
    EventCursor.objects.update_or_create(domain=domain.slug, defaults={"seen_until": newest, "backfilled_at": Now()})


def _parse(found: JSONObject, domain: DomainRule) -> WebhookEvent | None:
    try:
        return read_event(found, domain, Source.BACKFILL)
    except InvalidEvent as refusal:
        logger.warning("An event of the domain %s was skipped. %s", domain.slug, refusal)
        return None
