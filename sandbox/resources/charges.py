"""Charges, which payment intents make; here they are only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists
from sandbox.endpoints import Call, Endpoints, endpoint, listing

if TYPE_CHECKING:
    from sandbox.objects import Json


def _retrieve(call: Call) -> Json:
    return call.work.get("charge", call.id, param="charge", status=404)


def _list(call: Call) -> Json:
    return lists.page(call, "charge", lists.asked(call, "customer", "payment_intent"))


ENDPOINTS: Endpoints = {
    ("GET", "/v1/charges/{charge}"): endpoint(_retrieve),
    ("GET", "/v1/charges"): listing(_list, "customer payment_intent created"),
}
