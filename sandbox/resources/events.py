"""Events: what happened to the account's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid

if TYPE_CHECKING:
    from sandbox.objects import Json


def _retrieve(call: Call) -> Json:
    return call.work.get("event", call.id, param="id", status=404)


def _list(call: Call) -> Json:
    if "type" in call.params and "types" in call.params:
        raise invalid("You may only specify one of these parameters: type, types.", param="type")
    among = {"type": call.params["types"]} if "types" in call.params else {}
    return lists.page(call, "event", {**lists.asked(call, "type"), **among})


ENDPOINTS: Endpoints = {
    ("GET", "/v1/events/{id}"): endpoint(_retrieve),
    ("GET", "/v1/events"): listing(_list, "type types created"),
}
