"""Webhooks and the health of the server."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from routing.registry import snapshot
from routing.registry.models import RegistryHead
from tests.api.examples import Examples
from tests.database_roles import as_administrator

if TYPE_CHECKING:
    from tests.api.examples import Api

examples = Examples()


@examples.add("POST /api/v1/webhooks/stripe/{domain}", 200)
def webhook(api: Api) -> Any:
    created = int(time.time())
    about = {"id": "pi_1", "object": "payment_intent"}
    event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": created, "livemode": True}
    return api.receive({**event, "data": {"object": about}})


@examples.add("POST /api/v1/webhooks/stripe/{domain}", 400)
def webhook_that_is_not_signed(api: Api) -> Any:
    return replace(api, webhook_secret="whsec_another").receive({})


@examples.add("POST /api/v1/webhooks/stripe/{domain}", 404)
def webhook_of_an_unknown_domain(api: Api) -> Any:
    return api.receive({}, domain="paypal")


@examples.add("GET /healthz", 200)
def alive(api: Api) -> Any:
    return api.send("GET", "/healthz")


@examples.add("GET /readyz", 200)
def ready(api: Api) -> Any:
    return api.send("GET", "/readyz", Accept="text/html")


@examples.add("GET /readyz", 503)
def not_ready(api: Api) -> Any:
    with as_administrator():
        RegistryHead.objects.all().delete()
    snapshot._checked_at = float("-inf")
    return api.send("GET", "/readyz")
