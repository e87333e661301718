"""ROUTING_TABLE reads the live registry and cannot be written."""

from collections.abc import Mapping

import pytest

from stripe_billing_router import ROUTING_TABLE
from stripe_billing_router.errors import NotAuthenticated

KEY = ("stripe", "default", "finance", "finance_router_bot")
ROUTE = {"product_id": "prod_f", "price_id": "price_finance_standard", "customer_id": "cus_f", "currency": "usd"}


def entry(key, route=ROUTE):
    return dict(zip(("domain", "region", "business_category", "bot_name"), key, strict=True)) | {"route": route}


def test_a_route_is_one_filtered_request(configured):
    configured.says(200, {"results": [entry(KEY)], "next": None})

    assert ROUTING_TABLE[KEY]["price_id"] == "price_finance_standard"

    (request,) = configured.received
    query = "domain=stripe&region=default&business_category=finance&bot_name=finance_router_bot&limit=200"
    assert request.path == f"/api/v1/routes?{query}"


def test_every_lookup_is_fresh(configured):
    configured.says(200, {"results": [entry(KEY)], "next": None})
    configured.says(200, {"results": [entry(KEY, {**ROUTE, "price_id": "price_new"})], "next": None})

    assert [ROUTING_TABLE[KEY]["price_id"] for _ in range(2)] == ["price_finance_standard", "price_new"]


def test_a_route_that_is_not_registered_is_no_key(configured):
    configured.says(200, {"results": [entry(("stripe", "eu", "finance", "finance_router_bot"))], "next": None})

    assert KEY not in ROUTING_TABLE
    assert ROUTING_TABLE.get(KEY) is None


@pytest.mark.parametrize("code", ["unknown_domain", "not_found", "invalid_request"])
def test_a_key_that_the_router_refuses_is_no_key(configured, code):
    configured.refuses(422, code)

    with pytest.raises(KeyError):
        ROUTING_TABLE[KEY]


def test_a_refused_token_is_not_mistaken_for_a_missing_route(configured):
    configured.refuses(401, "not_authenticated")

    with pytest.raises(NotAuthenticated):
        ROUTING_TABLE[KEY]


@pytest.mark.parametrize("key", ["finance", ("stripe", "finance"), (1, 2, 3, 4), ("", "a", "b", "c"), None, [*KEY]])
def test_a_malformed_key_is_no_key_and_sends_nothing(configured, key):
    with pytest.raises(KeyError):
        ROUTING_TABLE[key]

    assert configured.received == []


def test_the_whole_table_is_read_page_by_page_and_once(configured):
    other = ("stripe", "eu", "finance", "finance_router_bot")
    configured.says(200, {"results": [entry(KEY)], "next": f"{configured.url}/api/v1/routes?cursor=b"})
    configured.says(200, {"results": [entry(other)], "next": None})

    assert dict(ROUTING_TABLE.items()) == {KEY: ROUTE, other: ROUTE}
    assert len(configured.received) == 2


def test_it_counts_and_lists_what_is_registered(configured):
    configured.says(200, {"results": [entry(KEY)], "next": None})

    assert len(ROUTING_TABLE) == 1
    assert list(ROUTING_TABLE) == [KEY]
    assert list(ROUTING_TABLE.values()) == [ROUTE]


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.__setitem__(KEY, ROUTE),
        lambda table: table.__delitem__(KEY),
        lambda table: table.__ior__({KEY: ROUTE}),
        lambda table: table.update({KEY: ROUTE}),
        lambda table: table.setdefault(KEY, ROUTE),
        lambda table: table.pop(KEY),
        lambda table: table.popitem(),
        lambda table: table.clear(),
    ],
)
def test_it_cannot_be_changed(configured, change):
    with pytest.raises(TypeError, match="read-only: call register_route"):
        change(ROUTING_TABLE)

    assert configured.received == []


def test_a_route_that_was_read_cannot_be_changed_either(configured):
    configured.says(200, {"results": [entry(KEY)], "next": None})

    with pytest.raises(TypeError):
        ROUTING_TABLE[KEY]["price_id"] = "price_other"


def test_its_repr_sends_nothing(configured):
    assert isinstance(ROUTING_TABLE, Mapping)
    assert "live routes" in repr(ROUTING_TABLE)
    assert configured.received == []
