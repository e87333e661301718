"""Both clients over real sockets, against a router that drops, delays, refuses and redirects by script."""

import json
import time

import pytest

from stripe_billing_router.errors import (
    Declined,
    NotPermitted,
    OutcomeUnknown,
    RouterUnavailable,
    StillRunning,
    StripeUnavailable,
)

BOT = "finance:finance_router_bot"


def test_a_charge_is_one_request_and_returns_the_payment(call, router, payment, token):
    router.says(201, payment())

    charged = call("charge", BOT, amount="10.00", overrides={"region": "eu"}, idempotency_key="order-4711")

    assert charged == payment()
    (request,) = router.received
    assert (request.method, request.path) == ("POST", "/api/v1/charges")
    assert request.body == {"bot": BOT, "amount": "10.00", "overrides": {"region": "eu"}}
    assert request.headers["Authorization"] == f"Bearer {token}"
    assert request.headers["Idempotency-Key"] == "order-4711"
    assert request.headers["Content-Type"] == "application/json"


def test_a_dropped_connection_is_retried_with_the_same_key_and_body(call, router, payment):
    router.drops().drops().says(201, payment())

    charged = call("charge", BOT, 10)

    assert charged["status"] == "succeeded"
    assert len(router.received) == 3
    assert len({request.headers["Idempotency-Key"] for request in router.received}) == 1
    assert len({json.dumps(request.body) for request in router.received}) == 1


def test_a_response_that_breaks_off_is_retried(call, router, payment):
    router.says(201, b'{"id": "pay', Content_Length="500", Connection="close").says(201, payment())

    assert call("charge", BOT, 10) == payment()


def test_a_temporary_error_is_retried(call, router, payment):
    router.refuses(503, "stripe_unavailable", retry_with_same_key=True)
    router.refuses(409, "still_running", retry_with_same_key=True)
    router.refuses(429, "too_many_requests", retry_with_same_key=True)
    router.says(502, b"<html>Bad Gateway</html>")
    router.says(201, payment())

    assert call("charge", BOT, 10)["status"] == "succeeded"
    assert len(router.received) == 5


def test_retry_after_is_waited_for(call, router, payment):
    router.refuses(503, "registry_busy", retry_with_same_key=True, retry_after="1").says(201, payment())
    began = time.monotonic()

    call("charge", BOT, 10)

    assert time.monotonic() - began >= 1.0


def test_a_slow_response_is_retried(call, router, payment):
    router.says(201, payment(), delay=1.0).says(201, payment())
    began = time.monotonic()

    charged = call("charge", BOT, 10, timeout=0.2)

    assert charged["status"] == "succeeded"
    assert len(router.received) == 2
    assert time.monotonic() - began < 1.0 + 0.5


def test_giving_up_names_the_key_to_go_on_with(call, router):
    router.drops()

    with pytest.raises(RouterUnavailable, match=r'Retry with idempotency_key="order-4711"') as given_up:
        call("charge", BOT, 10, idempotency_key="order-4711", wait=0.3)

    assert given_up.value.context["idempotency_key"] == "order-4711"
    assert given_up.value.money_may_have_moved
    assert len(router.received) >= 2


def test_a_key_that_the_client_generated_is_named_too(call, router):
    router.refuses(409, "still_running")

    with pytest.raises(StillRunning) as given_up:
        call("charge", BOT, 10, wait=0.2)

    key = router.received[0].headers["Idempotency-Key"]
    assert given_up.value.context["idempotency_key"] == key
    assert key in str(given_up.value)


def test_a_permanent_error_is_raised_at_once_with_its_context(call, router, payment):
    router.refuses(402, "declined", payment=payment("declined"), decline_code="insufficient_funds")

    with pytest.raises(Declined, match=r"^It is declined\.$") as declined:
        call("charge", BOT, 10, idempotency_key="order-4711")

    assert declined.value.context == {
        "payment": payment("declined"),
        "decline_code": "insufficient_funds",
        "idempotency_key": "order-4711",
    }
    assert len(router.received) == 1


def test_an_unknown_outcome_is_polled_until_it_succeeds(call, router, payment):
    router.says(202, payment("unknown")).says(200, payment("unknown")).drops().says(200, payment())

    assert call("charge", BOT, 10) == payment()
    asked = [(request.method, request.path) for request in router.received]
    assert asked == [("POST", "/api/v1/charges"), *[("GET", "/api/v1/charges/pay_1")] * 3]


def test_an_unknown_outcome_that_becomes_a_decline_raises_it(call, router, payment):
    error = {"message": "Your card has insufficient funds."}
    router.says(202, payment("unknown")).says(200, payment("declined", error=error))

    with pytest.raises(Declined, match=r"^Payment pay_1 was declined: Your card has insufficient funds\.$") as declined:
        call("charge", BOT, 10)

    assert declined.value.context["payment"]["status"] == "declined"


def test_an_outcome_that_stays_unknown_is_raised_with_its_payment(call, router, payment):
    router.says(202, payment("unknown")).says(200, payment("processing"))

    with pytest.raises(
        OutcomeUnknown, match=r'idempotency_key="order-4711"; with a new key it could be done twice'
    ) as unknown:
        call("charge", BOT, 10, idempotency_key="order-4711", wait=0.5)

    assert unknown.value.context["payment"] == payment("processing")
    assert len(router.received) >= 3


def test_a_router_that_is_not_running_is_an_error_that_says_so(call, router):
    router.url = "http://127.0.0.1:1"

    with pytest.raises(RouterUnavailable, match=r"Nothing was sent\. Check that BILLING_ROUTER_URL is right"):
        call("charge", BOT, 10, wait=0.1)


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(call, router, elsewhere):
    elsewhere.says(201, {})
    router.says(307, b"", Location=f"{elsewhere.url}/api/v1/charges")

    with pytest.raises(RouterUnavailable, match=r"redirects elsewhere \(HTTP 307\)"):
        call("charge", BOT, 10)

    assert len(router.received) == 1
    assert elsewhere.received == []


def test_a_proxy_of_the_environment_does_not_read_the_token_of_plain_http(
    call, router, elsewhere, payment, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
    monkeypatch.setenv("http_proxy", elsewhere.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    elsewhere.says(201, payment())
    router.says(201, payment())

    call("charge", BOT, 10)

    assert elsewhere.received == []


def test_a_list_is_read_page_by_page_from_the_router_alone(call, router, elsewhere, payment):
    router.says(200, {"results": [payment(), payment()], "next": f"{elsewhere.url}/api/v1/charges?cursor=b&limit=3"})
    router.says(200, {"results": [payment(), payment()], "next": None})
    elsewhere.says(200, {"results": [], "next": None})

    found = call("list_payments", status="succeeded", limit=3)

    assert found == [payment()] * 3
    assert [request.path for request in router.received] == [
        "/api/v1/charges?status=succeeded&limit=3",
        "/api/v1/charges?cursor=b&limit=3",
    ]
    assert elsewhere.received == []


def test_every_other_call_sends_what_the_api_documents(call, router):
    router.says(200, {"id": "x"})
    session = {"success_url": "https://example.com/s", "cancel_url": "https://example.com/c"}
    route = {"product_id": "prod_b", "price_id": "price_b", "customer_id": "cus_b"}
    rule = {"business_category": "finance", "bot_name": "b", "key": "k", "value": "v", "route": {"price_id": "price_e"}}

    call("create_subscription", BOT)
    call("refund", BOT, "pi_test", amount=5.0)
    call("create_checkout_session", BOT, session)
    call("create_customer", BOT, {"email": "bot@example.com"})
    call("get_balance", BOT)
    call("get_payment", "pay_1")
    call("resolve", BOT, overrides={"region": "eu"}, as_of=None)
    call("register_route", "analytics", "new_bot", route, region="eu")
    call("register_override", rule)

    placed = {"domain": "stripe", "region": "eu", "business_category": "analytics", "bot_name": "new_bot"}
    assert [(request.method, request.path.removeprefix("/api/v1"), request.body) for request in router.received] == [
        ("POST", "/subscriptions", {"bot": BOT}),
        ("POST", "/refunds", {"bot": BOT, "payment": "pi_test", "amount": "5.0"}),
        ("POST", "/checkout-sessions", {"bot": BOT, **session}),
        ("POST", "/customers", {"bot": BOT, "email": "bot@example.com"}),
        ("GET", "/balance?bot=finance%3Afinance_router_bot", None),
        ("GET", "/charges/pay_1", None),
        ("POST", "/routes/resolve", {"bot": BOT, "overrides": {"region": "eu"}}),
        ("PUT", "/routes", {**placed, "route": route}),
        ("PUT", "/overrides", rule),
    ]
    keyed = [request.path for request in router.received if "Idempotency-Key" in request.headers]
    assert keyed == [f"/api/v1/{path}" for path in ("subscriptions", "refunds", "checkout-sessions", "customers")]


def test_a_token_without_the_scope_is_not_permitted(call, router):
    router.refuses(403, "not_permitted")

    with pytest.raises(NotPermitted):
        call("get_balance", BOT)


def test_a_certain_failure_after_all_attempts_says_that_nothing_moved(call, router):
    router.refuses(503, "stripe_unavailable", retry_with_same_key=True)

    with pytest.raises(StripeUnavailable) as unavailable:
        call("charge", BOT, 10, wait=0.2)

    assert not unavailable.value.money_may_have_moved
