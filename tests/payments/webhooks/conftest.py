"""The router's webhook endpoint, as the sandbox Stripe or a test sends to it."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from stripe import WebhookSignature  # noqa: TID251 (Stripe's own side: it signs)

from routing.payments.webhooks.applying import apply_due
from routing.payments.webhooks.models import WebhookEvent
from tests.payments.ledger import LONG_AGO
from tests.payments.threads import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Stripe


@dataclass(frozen=True)
class Webhooks:
    """The webhook endpoint of a domain, from Stripe's side."""

    stripe: Stripe
    secret: str
    client: Client = field(default_factory=Client)

    def post(self, body: str | bytes, signature: str | None, *, domain: str = "stripe", **headers: str) -> Any:
        """Send a body as it is, with a signature header as it is."""
        if signature is not None:
            headers["Stripe-Signature"] = signature
        path = f"/api/v1/webhooks/stripe/{domain}"
        return self.client.generic("POST", path, body, content_type="application/json", headers=headers)

    def send(self, event: Any, *, domain: str = "stripe") -> Any:
        """Send an event, signed."""
        payload = json.dumps(event)
        return self.post(payload, signature_header(payload, self.secret), domain=domain)

    def wait_for(self, event_type: str) -> None:
        until(lambda: WebhookEvent.objects.filter(type=event_type).exists(), f"The event {event_type}")

    def receive_all(self) -> None:
        """Wait until every event so far has been delivered."""
        sent = {event["id"] for event in self.stripe.objects("events")}
        until(
            lambda: sent <= set(WebhookEvent.objects.values_list("event_id", flat=True)), "The delivery of all events"
        )

    def apply_all(self) -> None:
        """Receive and apply everything, as if the pauses between attempts had passed."""
        self.receive_all()
        apply_now()


def signature_header(payload: str, secret: str, at: float | None = None) -> str:
    return WebhookSignature.generate_signature_header(payload, secret, int(time.time() if at is None else at))


def new_event(**fields: Any) -> dict[str, Any]:
    """Return an event as Stripe sends it; ``fields`` replace its own."""
    return {
        "id": "evt_" + secrets.token_hex(12),
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": True,
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "pi_" + secrets.token_hex(12), "object": "payment_intent"}},
        **fields,
    }


def router_environment(webhooks: Webhooks) -> dict[str, str]:
    """Return the environment of a router process that works on the test's database and sandbox."""
    server = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "billing_router.settings",
        "DATABASE_URL": server.geturl(),
        "STRIPE_API_BASE": webhooks.stripe.control.address,
    }


def make_events_due() -> None:
    WebhookEvent.objects.filter(applied_at=None).update(next_attempt_at=LONG_AGO)


def apply_now() -> int:
    """Apply every event that is not applied yet; return how many were tried."""
    make_events_due()
    return apply_due()


def findings() -> dict[str, str]:
    """Return the finding of each event, by its type."""
    return dict(WebhookEvent.objects.values_list("type", "finding"))


@pytest.fixture
def webhooks(bot: Any, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> Webhooks:
    """Give the domain a webhook secret; only the test sends events."""
    from routing.keys import reset_keyring

    secret = "whsec_" + secrets.token_hex(16)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", secret)
    reset_keyring()
    return Webhooks(stripe, secret)


@pytest.fixture
def live_webhooks(bot: Any, stripe: Stripe, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhooks]:
    """Register an endpoint at the sandbox Stripe, which sends every event to the live server."""
    from routing.keys import reset_keyring

    url = f"{live_server.url}/api/v1/webhooks/stripe/stripe"
    endpoint = stripe.client.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", str(endpoint.secret))
    reset_keyring()
    yield Webhooks(stripe, str(endpoint.secret))
    stripe.client.webhook_endpoints.delete(endpoint.id)
    stripe.control.set_webhooks()
