"""The HTTP API, through the whole stack."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from routing.access import tokens
from routing.access.models import BotToken, Scope
from routing.keys import reset_keyring
from routing.payments.ledger.models import Payment
from routing.registry.models import Bot, Override, Route
from tests.api.conftest import BOT, Caller, assert_problem
from tests.bot_tokens import token_for_everything


def idle_in_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE state LIKE 'idle in transaction%%' AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def test_a_charge_returns_201_with_the_whole_payment(caller, stripe):
    response = caller.charge(amount="19.99", metadata={"order": "4711"}, description="One seat")

    payment = response.json()
    assert response.status_code == 201
    assert payment | {"id": 0, "route": 0, "stripe": 0, "created_at": 0, "settled_at": 0} == {
        "id": 0,
        "kind": "charge",
        "status": "succeeded",
        "bot": "stripe:" + BOT,
        "amount": "19.99",
        "amount_refunded": "0.00",
        "disputed": False,
        "subscription_status": None,
        "renewal_of": None,
        "currency": "usd",
        "quantity": None,
        "description": "One seat",
        "metadata": {"order": "4711"},
        "route": 0,
        "stripe": 0,
        "error": None,
        "created_at": 0,
        "settled_at": 0,
        "caps": [],
    }
    assert payment["route"] | {"registry_version": 0} == {
        "domain": "stripe",
        "region": "default",
        "product_id": "prod_finance_router",
        "price_id": "price_finance_standard",
        "customer_id": "cus_finance_default",
        "registry_version": 0,
        "overrides": {},
    }
    assert payment["stripe"]["payment_intent"] == stripe.objects("payment_intents")[0]["id"]


@pytest.mark.parametrize("amount", ["19.99", "1e1", "10.0"])
def test_a_json_number_is_read_exactly_as_it_is_written(caller, stripe, amount):
    response = caller.send("POST", "/charges", f'{{"bot": "{BOT}", "amount": {amount}}}', "order-1")

    if "e" in amount:
        assert_problem(response, 400, "invalid_amount")
    else:
        assert response.json()["amount"] == f"{float(amount):.2f}"


def test_a_repeated_charge_is_replayed_and_marked(caller, stripe):
    first, again = caller.charge(amount="10"), caller.charge(amount="10")

    assert again.status_code == 201
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first


def test_the_same_key_with_another_body_is_422(caller, stripe):
    caller.charge(amount="10")

    assert_problem(caller.charge(amount="11"), 422, "idempotency_conflict")


def test_a_charge_without_an_idempotency_key_is_refused(caller, stripe):
    assert_problem(caller.charge(key=None, amount="10"), 400, "invalid_request")
    assert not Payment.objects.exists()


@pytest.mark.parametrize("key", ["x" * 256, "schlüssel", "a\tb"])
def test_an_invalid_idempotency_key_is_refused(caller, stripe, key):
    assert caller.charge(key=key, amount="10").status_code == 400
    assert not Payment.objects.exists()


def test_an_unknown_outcome_returns_202_with_the_payment(caller, stripe):
    stripe.control.fault("reset_after", path="/v1/payment_intents")

    response = caller.charge(amount="10")

    assert (response.status_code, response.json()["status"]) == (202, "unknown")


def test_a_decline_is_a_402_problem_that_carries_the_payment(caller, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")

    problem = assert_problem(caller.charge(amount="10"), 402, "declined")

    assert problem["payment"]["status"] == "declined"
    assert not problem["money_may_have_moved"]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"bot": "nonsense"}, 400, "invalid_identifier"),
        ({"bot": 7}, 400, "invalid_request"),
        ({"amount": "1.005"}, 400, "invalid_amount"),
        ({"amount": True}, 400, "invalid_request"),
        ({"amount": None}, 400, "invalid_request"),
        ({"amount": "10", "quantity": 2}, 400, "invalid_request"),
        ({"quantity": "2"}, 400, "invalid_request"),
        ({"quantity": True}, 400, "invalid_request"),
        ({"quantity": 0}, 400, "invalid_request"),
        ({"quantity": 10**30}, 400, "invalid_request"),
        ({"ammount": "10"}, 400, "invalid_request"),
        ({"secret_key": "x"}, 400, "invalid_request"),
        ({"metadata": {"payment_id": "x"}}, 400, "invalid_request"),
        ({"metadata": {"a": 1}}, 400, "invalid_request"),
        ({"metadata": {f"k{n}": "v" for n in range(44)}}, 400, "invalid_request"),
        ({"metadata": {"x" * 41: "v"}}, 400, "invalid_request"),
        ({"description": "a\u0000b"}, 400, "invalid_request"),
        ({"overrides": ["eu"]}, 400, "invalid_request"),
        ({"overrides": {"region": "mars"}}, 422, "unknown_region"),
        ({"overrides": {"business": "nobody"}}, 422, "override_not_found"),
        ({"currency": "eur"}, 422, "not_allowed_by_route"),
    ],
)
def test_an_invalid_field_is_a_problem_and_nothing_is_sent(caller, stripe, fields, status, code):
    response = caller.charge(**{"amount": "10"} | fields if "quantity" not in fields else fields)

    assert_problem(response, status, code)
    assert not Payment.objects.exists()
    assert stripe.requests() == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "7",
        '"x"',
        "{",
        "{'a': 1}",
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"amount": NaN}',
        '{"bot": "a", "bot": "b"}',
        b"\xff\xfe",
        '{"metadata": ' + "[" * 50 + "]" * 50 + "}",
        '{"quantity": ' + "9" * 5000 + "}",
    ],
)
def test_a_body_that_is_not_one_json_object_is_refused(caller, body):
    assert_problem(caller.send("POST", "/charges", body, "order-1"), 400, "invalid_request")


def test_a_body_that_is_too_large_is_refused(caller):
    assert_problem(caller.send("POST", "/charges", "x" * 300_000, "order-1"), 413, "request_too_large")


def test_without_a_valid_token_every_call_is_refused(bot):
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        response = Client(headers=headers).get("/api/v1/charges")

        assert_problem(response, 401, "not_authenticated")
        assert response["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_is_refused_at_once(caller):
    assert caller.send("GET", "/charges").status_code == 200

    BotToken.objects.update(revoked_at="2026-01-01T00:00Z")

    assert_problem(caller.send("GET", "/charges"), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/charges", "charge"),
        ("GET", "/charges", "read"),
        ("POST", "/customers", "customer"),
        ("GET", f"/balance?bot={BOT}", "balance"),
        ("PUT", "/routes", "routes:write"),
        ("PUT", "/overrides", "routes:write"),
        ("POST", "/routes/resolve", "read"),
    ],
)
def test_each_call_needs_its_own_scope(bot, method, path, scope):
    others = [other for other in Scope.values if other != scope]
    caller = Caller(tokens.issue("test", ["stripe:" + BOT], others))

    problem = assert_problem(caller.send(method, path, {"bot": BOT}, "order-1"), 403, "not_permitted")

    assert scope in problem["detail"]


def test_a_token_speaks_for_its_own_bots_alone(bot, stripe):
    Bot.objects.create(domain=bot.domain, category=bot.category, name="another")
    caller = Caller(tokens.issue("test", ["stripe:finance:another"], Scope.values))

    for method, path, body in (
        ("POST", "/charges", {"bot": BOT, "amount": "10"}),
        ("POST", "/customers", {"bot": BOT}),
        ("GET", f"/balance?bot={BOT}", None),
        ("POST", "/routes/resolve", {"bot": BOT}),
        ("PUT", "/routes", {"business_category": "finance", "bot_name": "finance_router_bot", "route": {}}),
    ):
        assert_problem(caller.send(method, path, body, "order-1"), 403, "not_permitted")


def test_a_bot_sees_its_own_ledger_alone(caller, stripe):
    payment = caller.charge(amount="10").json()
    other_bot = Caller(tokens.issue("test", ["stripe:finance:another"], Scope.values))

    assert caller.send("GET", f"/charges/{payment['id']}").json() == payment
    assert_problem(other_bot.send("GET", f"/charges/{payment['id']}"), 404, "not_found")
    assert other_bot.send("GET", "/charges").json() == {"results": [], "next": None}


def test_the_ledger_is_paged_newest_first_and_filtered(caller, stripe):
    for number in range(5):
        caller.charge(key=f"order-{number}", amount=str(number + 1))

    page = caller.send("GET", "/charges?limit=3").json()
    rest = caller.client.get(page["next"]).json()
    amounts = [payment["amount"] for payment in page["results"] + rest["results"]]

    assert amounts == ["5.00", "4.00", "3.00", "2.00", "1.00"]
    assert rest["next"] is None
    assert len(caller.send("GET", f"/charges?bot={BOT}&status=succeeded&kind=charge").json()["results"]) == 5
    assert caller.send("GET", "/charges?status=declined").json()["results"] == []


@pytest.mark.parametrize(
    "query",
    [
        "statuss=declined",
        "status=nonsense",
        "bot=nonsense",
        "created_after=yesterday",
        "cursor=x",
        "cursor=cD0yMDI2",  # p=2026
        "cursor=cj0xJnA9YWJj",  # r=1&p=abc
    ],
)
def test_an_unknown_or_invalid_filter_is_refused_and_not_ignored(caller, query):
    assert caller.send("GET", f"/charges?{query}").status_code in {400, 404}


def test_a_checkout_session_is_replayed_although_no_key_can_be_loaded(caller, stripe, monkeypatch):
    fields = {"bot": BOT, "success_url": "https://example.com/thanks"}
    monkeypatch.setenv("STRIPE_PUBLIC_KEY", "pk_live_" + "x" * 24)
    reset_keyring()
    first = caller.send("POST", "/checkout-sessions", fields, "order-1")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "")
    reset_keyring()

    again = caller.send("POST", "/checkout-sessions", fields, "order-1")

    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert first.json()["publishable_key"].startswith("pk_live_")
    assert again.json() == {**first.json(), "publishable_key": None}


def test_a_customer_is_created_once_and_recorded(caller, stripe):
    fields = {"bot": BOT, "email": "bot@example.com", "name": "A bot"}

    first = caller.send("POST", "/customers", fields, "customer-1")
    again = caller.send("POST", "/customers", fields, "customer-1")

    assert first.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    [customer] = [found for found in stripe.objects("customers") if found["email"]]
    assert (customer["id"], customer["email"]) == (first.json()["id"], "bot@example.com")
    assert customer["metadata"]["bot"] == "stripe:" + BOT
    assert caller.send("GET", "/charges").json()["results"] == []


def test_the_balance_reads_in_each_currencys_own_units(caller, stripe):
    caller.charge(amount="10")

    balance = caller.send("GET", f"/balance?bot={BOT}").json()

    assert balance["domain"] == "stripe"
    total = sum(
        float(entry["amount"]) for entry in balance["available"] + balance["pending"] if entry["currency"] == "usd"
    )
    assert 9 < total <= 10  # Stripe keeps its fee


def test_resolve_says_the_route_and_why(caller):
    response = caller.send("POST", "/routes/resolve", {"bot": BOT, "overrides": {"business": "enterprise"}})

    assert response.json()["route"]["price_id"] == "price_finance_enterprise"
    assert [step["won"] for step in response.json()["explanation"]] == [True, True]


def test_resolve_says_why_there_is_no_route(caller):
    problem = assert_problem(
        caller.send("POST", "/routes/resolve", {"bot": BOT, "overrides": {"tier": "gold"}}), 422, "override_not_found"
    )

    assert problem["field"] == "tier"
    assert [step["rule"] for step in problem["explanation"]] == ["the route for region default"]


def test_a_route_that_is_registered_is_used_by_the_next_charge(bot, stripe):
    caller = Caller(token_for_everything())
    route = {
        "product_id": "prod_finance_router",
        "price_id": "price_finance_standard",
        "customer_id": "cus_finance_default",
    }
    fields = {"business_category": "analytics", "bot_name": "new_bot", "route": route}

    created = caller.send("PUT", "/routes", fields)
    again = caller.send("PUT", "/routes", fields)
    charge = caller.send("POST", "/charges", {"bot": "analytics:new_bot", "amount": "10"}, "order-1")

    assert (created.status_code, again.status_code, charge.status_code) == (201, 200, 201)
    assert created.json()["route"] == {**route, "currency": "usd"}
    listed = caller.send("GET", "/routes?business_category=analytics").json()["results"]
    assert [found["bot_name"] for found in listed] == ["new_bot"]


def test_an_override_that_is_registered_is_used_by_the_next_charge(caller, stripe):
    fields = {
        "business_category": "finance",
        "bot_name": "finance_router_bot",
        "key": "tier",
        "value": "gold",
        "route": {"price_id": "price_finance_enterprise"},
    }

    created = caller.send("PUT", "/overrides", fields)
    charge = caller.charge(overrides={"tier": "gold"})

    assert created.status_code == 201
    assert charge.json()["route"]["price_id"] == "price_finance_enterprise"
    assert [found["key"] for found in caller.send("GET", "/overrides").json()["results"]] == ["business", "tier"]


@pytest.mark.parametrize("field", ["secret_key", "public_key"])
def test_a_key_in_a_route_is_refused_and_never_repeated(caller, field):
    key = "sk_live_" + "a1" * 12
    route = {"product_id": "prod_a", "price_id": "price_a", "customer_id": "cus_a", field: key}
    fields = {"business_category": "finance", "bot_name": "finance_router_bot", "route": route}

    for path, body in (("/routes", fields), ("/overrides", {**fields, "key": "tier", "value": "gold"})):
        response = caller.send("PUT", path, body)

        assert_problem(response, 400, "key_not_allowed")
        assert key not in response.content.decode()
    assert not Override.objects.filter(key="tier").exists()


def test_an_unreachable_database_is_a_problem_that_says_to_retry(caller, stripe, settings):
    from routing import postgres

    postgres.close_connections()
    host = settings.DATABASES["default"]["HOST"]
    try:
        from django.db import connections

        connections["default"].settings_dict["HOST"] = "/nowhere"
        postgres._WAIT_SECONDS = 0.2
        problem = assert_problem(caller.charge(amount="10"), 503, "database_unavailable")
    finally:
        connections["default"].settings_dict["HOST"] = host
        postgres._WAIT_SECONDS = 5
        postgres._pool.cache_clear()

    assert problem["retry_with_same_key"]
    assert stripe.requests() == []


def test_the_health_of_the_process_and_of_the_registry(bot):
    client = Client()

    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"


def test_every_response_of_a_sandbox_says_that_it_is_one(bot):
    assert "sandbox" in Client().get("/healthz")["Billing-Router-Environment"]


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/charges/not-a-uuid"])
def test_an_unknown_url_is_a_problem_too(caller, path):
    assert_problem(caller.client.get(path), 404, "not_found")


def test_a_wrong_method_is_a_problem_too(caller):
    assert_problem(caller.send("DELETE", "/charges"), 405, "method_not_allowed")


def test_the_openapi_document_names_every_call(bot):
    schema = json.loads(Client(headers={"Accept": "application/json"}).get("/api/schema").content)

    assert schema["openapi"].startswith("3.1")
    assert {"/api/v1/charges", "/api/v1/customers", "/api/v1/balance", "/api/v1/routes/resolve"} <= set(schema["paths"])
    assert "default" in schema["paths"]["/api/v1/charges"]["post"]["responses"]


@pytest.mark.parametrize("endpoint", ["charges", "refunds"])
def test_no_transaction_is_open_while_stripe_is_called(caller, stripe, endpoint):
    fields = {"amount": "10"}
    if endpoint == "refunds":
        fields["payment"] = caller.charge("order-0", amount="10").json()["id"]
    path = {"charges": "/v1/payment_intents", "refunds": "/v1/refunds"}[endpoint]
    sent = len(stripe.requests("POST", path))
    stripe.control.fault("latency", method="POST", path=path, seconds=1)

    def ask():
        try:
            return caller.send("POST", f"/{endpoint}", {"bot": BOT, **fields}, "order-1")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(ask)
        while not (asking.done() or len(stripe.requests("POST", path)) > sent):
            time.sleep(0.02)
        found = (asking.done(), idle_in_transaction())

    assert found == (False, 0)
    assert asking.result().status_code == 201
