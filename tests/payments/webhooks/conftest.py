"""The router's webhook address on a live server, and an endpoint of the sandbox Stripe that sends there."""

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
from stripe import StripeClient, WebhookSignature  # noqa: TID251 (Stripe's own side: it signs)

from routing.identifiers import BotId
from routing.payments.operations.charges import Charge, charge
from routing.payments.webhooks.applying import apply_due
from routing.payments.webhooks.models import WebhookEvent
from routing.registry.models import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from routing.payments.ledger.models import Payment
    from sandbox.control import Card
    from tests.conftest import Stripe

BOT = BotId.parse("finance:finance_router_bot")
WAIT = 15.0  # seconds


def pay(key: str = "order-1", **wanted: Any) -> Payment:
    return charge(BOT, Charge(**wanted), idempotency_key=key).payment


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)


def on_own_connection(work: Callable[[], Any]) -> Any:
    """Do the work as a thread of its own does it, whose connection is given back."""
    try:
        return work()
    finally:
        connection.close()


def signed(text: str, secret: str, at: float | None = None) -> str:
    return WebhookSignature.generate_signature_header(text, secret, int(time.time() if at is None else at))


def an_event(**parts: Any) -> dict[str, Any]:
    """Return an event as Stripe writes it; ``parts`` replace its own."""
    return {
        "id": "evt_" + secrets.token_hex(12),
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": True,
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "pi_" + secrets.token_hex(12), "object": "payment_intent"}},
        **parts,
    }


@dataclass(frozen=True)
class Hooks:
    """The webhook address of a domain, from Stripe's side."""

    stripe: Stripe
    secret: str
    client: Client = field(default_factory=Client)

    @property
    def at_stripe(self) -> Any:
        return StripeClient(self.stripe.key, base_addresses={"api": self.stripe.control.address}).v1

    def post(self, body: str | bytes, signature: str | None, *, domain: str = "stripe", **headers: str) -> Any:
        """Send a body as it is, with a signature header as it is."""
        given = {**headers, **({} if signature is None else {"Stripe-Signature": signature})}
        return self.client.generic(
            "POST", f"/api/v1/webhooks/stripe/{domain}", body, content_type="application/json", headers=given
        )

    def send(self, event: Any, **how: Any) -> Any:
        text = json.dumps(event)
        return self.post(text, signed(text, self.secret), **how)

    def wait_for(self, kind: str) -> None:
        until(lambda: WebhookEvent.objects.filter(type=kind).exists())

    def receive_all(self) -> None:
        """Wait until every event that has happened so far has been delivered."""
        happened = {event["id"] for event in self.stripe.objects("events")}
        until(lambda: happened <= set(WebhookEvent.objects.values_list("event_id", flat=True)))

    def apply_all(self) -> None:
        """Receive and apply everything, as if the pauses between attempts had gone by."""
        self.receive_all()
        make_due()
        apply_due()


def router_environment(hooks: Hooks) -> dict[str, str]:
    """Return what a process of the router's own needs, to work on the test's database and sandbox."""
    server = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "billing_router.settings",
        "DATABASE_URL": server.geturl(),
        "STRIPE_API_BASE": hooks.stripe.control.address,
    }


def use_card(hooks: Hooks, card: Card) -> None:
    """Let the bot's route charge a customer who pays with that test card."""
    hooks.stripe.control.seed_customer(hooks.stripe.account, "cus_another", card=card)
    Route.objects.update(customer_id="cus_another")


def make_due() -> None:
    WebhookEvent.objects.filter(applied_at=None).update(next_attempt_at="2020-01-01T00:00Z")


def findings() -> dict[str, str]:
    """Return what came of each event, by its type."""
    return dict(WebhookEvent.objects.values_list("type", "finding"))


@pytest.fixture
def hooks(bot: Any, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> Hooks:
    """Give a domain with a webhook secret; nothing is delivered by itself."""
    from routing.keys import reset_keyring

    secret = "whsec_" + secrets.token_hex(16)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", secret)
    reset_keyring()
    return Hooks(stripe, secret)


@pytest.fixture
def delivering(bot: Any, stripe: Stripe, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """Give a domain whose endpoint at the sandbox Stripe delivers to the live server whatever happens."""
    from routing.keys import reset_keyring

    url = f"{live_server.url}/api/v1/webhooks/stripe/stripe"
    at_stripe = StripeClient(stripe.key, base_addresses={"api": stripe.control.address}).v1
    made = at_stripe.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", str(made.secret))
    reset_keyring()
    yield Hooks(stripe, str(made.secret))
    at_stripe.webhook_endpoints.delete(made.id)
    stripe.control.set_webhooks()
