"""Webhook endpoints: where events are sent, and the secret that signs them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sandbox import lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import NOTICE, made, new_id
from sandbox.webhooks import is_loopback

if TYPE_CHECKING:
    from sandbox.objects import Json


def _create(call: Call) -> Json:
    if not is_loopback(call.params["url"]):
        raise invalid("The sandbox sends events to http:// addresses of this machine only.", param="url")
    return call.work.put(
        made(
            "webhook_endpoint",
            id=new_id("we"),
            api_version=call.params.get("api_version"),
            created=call.work.now,
            description=call.params.get("description"),
            enabled_events=call.params["enabled_events"],
            metadata=metadata.merged({}, call.params),
            secret=f"whsec_{secrets.token_hex(16)}",
            status="enabled",
            url=call.params["url"],
        )
    )


def _retrieve(call: Call) -> Json:
    return _without_secret(call.work.get("webhook_endpoint", call.id, param="webhook_endpoint", status=404))


def _delete(call: Call) -> Json:
    call.work.get("webhook_endpoint", call.id, param="webhook_endpoint", status=404)
    return call.work.put({"id": call.id, "object": "webhook_endpoint", "deleted": True, "sandbox": NOTICE})


def _list(call: Call) -> Json:
    page = lists.page(call, "webhook_endpoint")
    return {**page, "data": [_without_secret(each) for each in page["data"]]}


def _without_secret(known: Json) -> Json:
    """Return the endpoint as Stripe shows it ever after: the secret is told once, when it is made."""
    return {name: value for name, value in known.items() if name != "secret"}


ENDPOINTS: Endpoints = {
    ("POST", "/v1/webhook_endpoints"): endpoint(_create, "url enabled_events description metadata api_version"),
    ("GET", "/v1/webhook_endpoints/{webhook_endpoint}"): endpoint(_retrieve),
    ("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}"): endpoint(_delete),
    ("GET", "/v1/webhook_endpoints"): listing(_list),
}
