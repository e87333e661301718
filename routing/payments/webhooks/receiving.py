"""Receives what is sent to a domain's webhook endpoint: only what Stripe signed, and each event once."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from routing.errors import InvalidRequest, KeyUnavailable, NotFound
from routing.keys import keyring
from routing.payments.stripe_api.signatures import InvalidSignature, verify_signature
from routing.payments.webhooks.models import Source, WebhookEvent
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routing.keys import Secret
    from routing.payments.stripe_api.responses import JSONObject
    from routing.registry.rules import DomainRule
    from routing.registry.snapshot import Snapshot

MAX_BYTES = 1024 * 1024
"""Larger events are refused; the backfill fetches them, as it keeps of an event only which object it names."""

_TOKEN = re.compile(r"[A-Za-z0-9_.]{1,255}")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

logger = logging.getLogger(__name__)


class InvalidEvent(Exception):  # noqa: N818 (named for what it is)
    """It is not an event for the domain; the sentence says why, and is for the log alone."""


def receive(slug: str, body: bytes, signature: str) -> None:
    """Store the event that Stripe sent to the domain ``slug``, in a transaction of its own; once, however often sent.

    One that is rightly signed and says nothing here, of test mode for example, is accepted and set aside: Stripe would
    send it again for days, and then nothing more. Raises ``NotFound``, ``InvalidRequest`` or ``KeyUnavailable``, of
    which none tells an attacker more than that.
    """
    domain = snapshot.decide(lambda current: _domain(current, slug))
    secrets = _secrets(domain)
    try:
        found = _verified_event(body, signature, secrets)
    except (InvalidSignature, InvalidEvent) as refusal:
        logger.warning("A webhook for the domain %s was refused. %s", slug, refusal)
        raise InvalidRequest("This is not an event that Stripe has signed for this endpoint.") from None
    try:
        event = read_event(found, domain, Source.WEBHOOK)
    except InvalidEvent as reason:
        logger.warning("A webhook for the domain %s changes nothing. %s", slug, reason)
        store(_set_aside(found, domain, reason))
    else:
        store([event])


def read_event(found: JSONObject, domain: DomainRule, source: Source) -> WebhookEvent:
    """Return the event that ``found`` is, not stored yet; raise ``InvalidEvent``."""
    if found.get("object") != "event":
        raise InvalidEvent("It is not an event.")
    if found.get("livemode") is not True:
        raise InvalidEvent("It is not an event of live mode.")
    if any(found.get(name) not in (None, "", domain.account_id) for name in ("account", "context")):
        raise InvalidEvent("It is an event of another account.")
    named = _object(_object(found.get("data")).get("object"))
    return WebhookEvent(
        domain=domain.slug,
        event_id=_token(found.get("id")),
        type=_token(found.get("type")),
        created=_time(found.get("created")),
        object_type=_token(named.get("object")),
        object_id=_token(named["id"]) if named.get("id") else "",
        source=source,
    )


def _set_aside(found: JSONObject, domain: DomainRule, reason: InvalidEvent) -> list[WebhookEvent]:
    """Return the event as one that is done with, if it has an id by which it can be kept."""
    identifier, event_type = found.get("id"), found.get("type")
    if not (isinstance(identifier, str) and _TOKEN.fullmatch(identifier)):
        return []
    return [
        WebhookEvent(
            domain=domain.slug,
            event_id=identifier,
            type=event_type if isinstance(event_type, str) and _TOKEN.fullmatch(event_type) else "unknown",
            created=datetime.now(UTC),
            object_type="",
            object_id="",
            source=Source.WEBHOOK,
            applied_at=datetime.now(UTC),
            finding=f"set aside: {str(reason)[:1].lower()}{str(reason)[1:].rstrip('.')}",
        )
    ]


def store(events: Iterable[WebhookEvent]) -> None:
    """Store the events that are not stored yet."""
    WebhookEvent.objects.bulk_create(events, ignore_conflicts=True)


def _domain(current: Snapshot, slug: str) -> DomainRule:
    if domain := current.table.domains.get(slug):
        return domain
    raise NotFound("Not found.")


def _secrets(domain: DomainRule) -> tuple[Secret, ...]:
    secrets: tuple[Secret, ...] = ()
    problem = (
        "it has no webhook secret. Store the signing secret of its Stripe endpoint beside its key, as "
        "webhook_secrets, or in STRIPE_WEBHOOK_SECRETS."
    )
    try:
        secrets = keyring().keys(domain.slug, domain.key_path).webhook_secrets
    except KeyUnavailable as error:
        problem = str(error)
    if not secrets:
        logger.error("Webhooks for the domain %s cannot be received: %s", domain.slug, problem)
        raise KeyUnavailable("Signatures cannot be verified at present. Send the event again later.")
    return secrets


def _verified_event(body: bytes, signature: str, secrets: Iterable[Secret]) -> JSONObject:
    if len(body) > MAX_BYTES:
        raise InvalidEvent(f"It is longer than {MAX_BYTES} bytes.")
    text = verify_signature(body, signature, secrets)
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError):
        raise InvalidEvent("Its body is not JSON.") from None


def _object(value: Any) -> JSONObject:
    if isinstance(value, dict):
        return value
    raise InvalidEvent("A field is not a JSON object.")


def _token(value: Any) -> str:
    if isinstance(value, str) and _TOKEN.fullmatch(value):
        return value
    raise InvalidEvent("A field is missing, or not in Stripe's form.")


def _time(value: Any) -> datetime:
    if type(value) is int and 0 <= value < _LATEST:
        return datetime.fromtimestamp(value, UTC)
    raise InvalidEvent("Its time of creation is missing.")
