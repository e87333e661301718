"""Products: what is sold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import made, new_id

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_PLAIN = ("active", "description", "name", "statement_descriptor", "unit_label", "url")


def make(work: Work, *, name: str, identifier: str | None = None) -> Json:
    return work.put(
        made(
            "product",
            id=identifier or new_id("prod"),
            active=True,
            created=work.now,
            images=[],
            marketing_features=[],
            metadata={},
            name=name,
            type="service",
            updated=work.now,
        )
    )


def _revised(work: Work, product: Json, params: dict[str, Any]) -> Json:
    plain = {name: None if params[name] == "" else params[name] for name in _PLAIN if name in params}
    if "default_price" in params:
        work.get("price", params["default_price"], param="default_price")
        plain["default_price"] = params["default_price"]
    merged = metadata.merged(product["metadata"], params)
    return work.change(product, **plain, metadata=merged, updated=work.now)


def _create(call: Call) -> Json:
    identifier = call.params.get("id")
    if identifier in call.work.account.objects:
        raise invalid("Product already exists.", param="id", code="resource_already_exists")
    product = make(call.work, name=call.params["name"], identifier=identifier)
    revised = _revised(call.work, product, call.params)
    call.work.announce("product.created", revised)
    return revised


def _retrieve(call: Call) -> Json:
    return call.work.get("product", call.id, param="id", status=404)


def _update(call: Call) -> Json:
    revised = _revised(call.work, _retrieve(call), call.params)
    call.work.announce("product.updated", revised)
    return revised


def _list(call: Call) -> Json:
    return lists.page(call, "product", lists.asked(call, "active"))


ENDPOINTS: Endpoints = {
    ("POST", "/v1/products"): endpoint(_create, f"id {' '.join(_PLAIN)} metadata"),
    ("GET", "/v1/products/{id}"): endpoint(_retrieve),
    ("POST", "/v1/products/{id}"): endpoint(_update, f"{' '.join(_PLAIN)} metadata default_price"),
    ("GET", "/v1/products"): listing(_list, "active created"),
}
