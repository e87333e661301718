"""Takes in what is sent to a domain's webhook address: only what Stripe signed, and each event once."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from routing.errors import InvalidRequest, KeyUnavailable, NotFound
from routing.keys import keyring
from routing.payments.gateway import NotSigned, check_signature
from routing.payments.webhook_events import Source, WebhookEvent
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routing.keys import Secret
    from routing.payments.answers import JSONObject
    from routing.registry.rules import DomainRule
    from routing.registry.snapshot import Snapshot

MOST_BYTES = 1024 * 1024
"""Larger events are refused; the sweep fetches them, as it keeps of an event only what it is about."""

_WORD = re.compile(r"[A-Za-z0-9_.]{1,255}")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

logger = logging.getLogger(__name__)


class NotAnEvent(Exception):  # noqa: N818 (named for what it says)
    """It is no event that the domain takes; the sentence says why, and is for the log alone."""


def receive(slug: str, body: bytes, signature: str) -> None:
    """Store the event that Stripe sent to the domain ``slug``, in a transaction of its own; once, however often sent.

    Raises ``NotFound``, ``InvalidRequest`` or ``KeyUnavailable``, none of which tells a stranger more than that.
    """
    domain = snapshot.decide(lambda current: _domain(current, slug))
    secrets = _secrets(domain)
    try:
        event = read_event(_signed(body, signature, secrets), domain, Source.WEBHOOK)
    except (NotSigned, NotAnEvent) as refusal:
        logger.warning("A webhook for the domain %s was refused. %s", slug, refusal)
        raise InvalidRequest("This is not an event that Stripe has signed for this address.") from None
    store([event])


def read_event(found: JSONObject, domain: DomainRule, source: Source) -> WebhookEvent:
    """Return the event that ``found`` is, not stored yet; raise ``NotAnEvent``."""
    if found.get("object") != "event":
        raise NotAnEvent("It is another object than an event.")
    if found.get("livemode") is not True:
        raise NotAnEvent("It is not an event of live mode.")
    if any(found.get(name) not in (None, "", domain.account_id) for name in ("account", "context")):
        raise NotAnEvent("It is an event of another account.")
    about = _object(_object(found.get("data")).get("object"))
    return WebhookEvent(
        domain=domain.slug,
        event_id=_word(found.get("id")),
        type=_word(found.get("type")),
        created=_time(found.get("created")),
        object_type=_word(about.get("object")),
        object_id=_word(about["id"]) if about.get("id") else "",
        source=source,
    )


def store(events: Iterable[WebhookEvent]) -> None:
    """Store the events that are not stored yet."""
    WebhookEvent.objects.bulk_create(events, ignore_conflicts=True)


def _domain(current: Snapshot, slug: str) -> DomainRule:
    if domain := current.table.domains.get(slug):
        return domain
    raise NotFound("There is nothing here.")


def _secrets(domain: DomainRule) -> tuple[Secret, ...]:
    secrets: tuple[Secret, ...] = ()
    problem = (
        "it has no webhook secret. Store the signing secret of its endpoint at Stripe beside its key, as "
        "webhook_secrets, or in STRIPE_WEBHOOK_SECRETS."
    )
    try:
        secrets = keyring().keys(domain.slug, domain.key_path).webhook_secrets
    except KeyUnavailable as error:
        problem = str(error)
    if not secrets:
        logger.error("Webhooks for the domain %s cannot be taken in: %s", domain.slug, problem)
        raise KeyUnavailable("Signatures cannot be checked here for now. Send the event again later.")
    return secrets


def _signed(body: bytes, signature: str, secrets: Iterable[Secret]) -> JSONObject:
    if len(body) > MOST_BYTES:
        raise NotAnEvent(f"It is longer than {MOST_BYTES} bytes.")
    text = check_signature(body, signature, secrets)
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError):
        raise NotAnEvent("Its body is not JSON.") from None


def _object(value: Any) -> JSONObject:
    if isinstance(value, dict):
        return value
    raise NotAnEvent("A part of it is not a JSON object.")


def _word(value: Any) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    raise NotAnEvent("A part of it is missing, or not what Stripe writes there.")


def _time(value: Any) -> datetime:
    if type(value) is int and 0 <= value < _LATEST:
        return datetime.fromtimestamp(value, UTC)
    raise NotAnEvent("It does not say when it happened.")
