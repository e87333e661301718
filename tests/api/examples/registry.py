"""Routes, overrides and their resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.access import tokens
from routing.access.models import BotToken
from routing.caps.models import Cap
from routing.registry.models import Domain, Route
from tests.api.examples import Examples

if TYPE_CHECKING:
    from tests.api.examples import Api

examples = Examples()


@examples.add("GET /api/v1/routes", 200)
def list_of_routes(api: Api) -> Any:
    Route.objects.filter(region__slug="eu").update(valid_from="2026-01-01T00:00Z", valid_until="2126-01-01T00:00Z")
    return api.get("/routes")


@examples.add("GET /api/v1/routes", 200)
def page_of_routes(api: Api) -> Any:
    return api.get("/routes?limit=1")


@examples.add("GET /api/v1/routes", 403)
def list_of_routes_without_the_scope(api: Api) -> Any:
    return api.as_token(tokens.issue("test", ["*"], ["charge"])).get("/routes")


def put_route(api: Api, **route: str) -> Any:
    fields = {"product_id": "prod_a", "price_id": "price_a", "customer_id": "cus_a", **route}
    return api.send("PUT", "/api/v1/routes", {"business_category": "analytics", "bot_name": "new_bot", "route": fields})


@examples.add("PUT /api/v1/routes", 201)
def new_route(api: Api) -> Any:
    return put_route(api)


@examples.add("PUT /api/v1/routes", 200)
def changed_route(api: Api) -> Any:
    put_route(api)
    return put_route(api, currency="eur")


@examples.add("PUT /api/v1/routes", 400)
def route_with_a_key(api: Api) -> Any:
    return put_route(api, secret_key="x")


@examples.add("GET /api/v1/overrides", 200)
def list_of_overrides(api: Api) -> Any:
    put_override(api, "gold")
    return api.get("/overrides")


@examples.add("GET /api/v1/overrides", 400)
def list_of_overrides_with_an_unknown_filter(api: Api) -> Any:
    return api.get("/overrides?priority=1")


def put_override(api: Api, value: str, price: str = "price_gold") -> Any:
    bot = {"business_category": "finance", "bot_name": "finance_router_bot", "region": "eu"}
    return api.send("PUT", "/api/v1/overrides", {**bot, "key": "tier", "value": value, "route": {"price_id": price}})


@examples.add("PUT /api/v1/overrides", 201)
def new_override(api: Api) -> Any:
    return put_override(api, "gold")


@examples.add("PUT /api/v1/overrides", 200)
def changed_override(api: Api) -> Any:
    put_override(api, "gold")
    return put_override(api, "gold", "price_platinum")


@examples.add("PUT /api/v1/overrides", 400)
def override_without_a_value(api: Api) -> Any:
    return put_override(api, "")


@examples.add("POST /api/v1/routes/resolve", 200)
def resolution(api: Api) -> Any:
    return api.post("/routes/resolve", overrides={"business": "enterprise"}, as_of="2126-01-01T00:00:00Z")


@examples.add("POST /api/v1/routes/resolve", 422)
def resolution_of_an_unknown_qualifier(api: Api) -> Any:
    return api.post("/routes/resolve", overrides={"tier": "gold"})


@examples.add("PUT /api/v1/routes", 202)
def proposed_route(api: Api) -> Any:
    Domain.objects.update(requires_approval=True)
    return put_route(api)


@examples.add("PUT /api/v1/overrides", 202)
def proposed_override(api: Api) -> Any:
    Domain.objects.update(requires_approval=True)
    return put_override(api, "gold")


@examples.add("GET /api/v1/changes/{change}", 200)
def own_change(api: Api) -> Any:
    return api.get(f"/changes/{proposed_route(api).json()['change']}")


@examples.add("GET /api/v1/changes/{change}", 404)
def change_that_nobody_proposed(api: Api) -> Any:
    return api.get("/changes/4711")


@examples.add("GET /api/v1/whoami", 200)
def whoami(api: Api) -> Any:
    Cap.objects.create(
        token=BotToken.objects.get(prefix=api.token[4:16]), measure="gross", per="day", currency="usd", limit=1000
    )
    return api.get("/whoami")


@examples.add("GET /api/v1/whoami", 401)
def whoami_without_a_token(api: Api) -> Any:
    return api.as_token("brt_unknown").get("/whoami")
