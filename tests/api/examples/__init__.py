"""One example of every outcome of every endpoint, against the sandbox Stripe."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.test import Client
from stripe import WebhookSignature  # noqa: TID251 (Stripe's own side: it signs)

from routing.registry.models import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Stripe

BOT = "finance:finance_router_bot"


@dataclass(frozen=True)
class Api:
    """Calls the API as the finance bot; ``webhook_secret`` signs what Stripe sends."""

    stripe: Stripe
    webhook_secret: str
    token: str
    client: Client = field(default_factory=Client)

    def as_token(self, token: str) -> Api:
        return replace(self, token=token)

    def send(self, method: str, path: str, body: Any = None, key: str = "order-1", **headers: str) -> Any:
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
        sent = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key, **headers}
        response = self.client.generic(method, path, text, content_type="application/json", headers=sent)
        response.sent = text  # type: ignore[attr-defined]  # kept for the test that compares it
        return response

    def post(self, path: str, key: str = "order-1", **fields: Any) -> Any:
        return self.send("POST", f"/api/v1{path}", {"bot": BOT, **fields}, key)

    def charge(self, key: str = "order-1", **fields: Any) -> Any:
        return self.post("/charges", key, **{"amount": "10"} | fields)

    def get(self, path: str) -> Any:
        return self.send("GET", f"/api/v1{path}")

    def receive(self, event: dict[str, Any], domain: str = "stripe") -> Any:
        """Send an event to the webhook endpoint, signed as Stripe signs it."""
        text = json.dumps(event)
        signature = WebhookSignature.generate_signature_header(text, self.webhook_secret, int(time.time()))
        return self.send("POST", f"/api/v1/webhooks/stripe/{domain}", text, **{"Stripe-Signature": signature})

    def sell_monthly(self) -> None:
        """Give the bot's routes a recurring price."""
        self.stripe.control.seed_price(
            self.stripe.account, "price_monthly", product="prod_finance_router", interval="month"
        )
        Route.objects.update(price_id="price_monthly")


@dataclass(frozen=True)
class Example:
    operation: str
    status: int
    call: Callable[[Api], Any]

    @property
    def is_error(self) -> bool:
        return self.status >= HTTPStatus.BAD_REQUEST


class Examples(list[Example]):
    def add(self, operation: str, status: int) -> Callable[[Callable[[Api], Any]], Callable[[Api], Any]]:
        """Return a decorator that adds a function as an example of the operation's outcome."""

        def decorate(call: Callable[[Api], Any]) -> Callable[[Api], Any]:
            self.append(Example(operation, status, call))
            return call

        return decorate
