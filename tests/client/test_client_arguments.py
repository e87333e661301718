"""What a bot may pass is settled before anything is sent."""

import json
import math
import secrets
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_billing_router import calls
from stripe_billing_router.errors import InvalidAmount, InvalidIdentifier, InvalidRequest, KeyNotAllowed

BOT = "finance:finance_router_bot"
ROUTE = {"product_id": "prod_new_bot", "price_id": "price_new_bot_standard", "customer_id": "cus_new_bot_default"}
OVERRIDE = {
    "business_category": "finance",
    "bot_name": "finance_router_bot",
    "key": "business",
    "value": "enterprise",
    "route": {"price_id": "price_finance_enterprise"},
}


def body_of(call):
    return json.loads(call.request.body)


@pytest.mark.parametrize(
    ("amount", "sent"),
    [
        (10, "10"),
        (10.0, "10.0"),
        (12.5, "12.5"),
        (0.1, "0.1"),
        ("10.00", "10.00"),
        (Decimal("10.00"), "10.00"),
        (Decimal("1E+3"), "1000"),
        (10**19, "10000000000000000000"),
    ],
)
def test_an_amount_is_sent_exactly_as_it_was_given(amount, sent):
    assert body_of(calls.charge(BOT, amount)) == {"bot": BOT, "amount": sent}


@given(st.floats(min_value=0.01, max_value=1e12))
def test_a_float_that_is_sent_reads_back_as_the_same_float(amount):
    assert float(body_of(calls.charge(BOT, amount))["amount"]) == amount


NO_NUMBERS = [True, math.nan, math.inf, 1e16, 1e-07, -5, b"10", [10]]
NO_DECIMALS = [Decimal("NaN"), Decimal("sNaN"), Decimal("1E+999999999999999")]
NO_TEXTS = ["-5", "+5", "1e3", "ten", "", " 10", "10\n", "1_000", "\uff11\uff10", "10.", "9" * 21]


@pytest.mark.parametrize("amount", [*NO_NUMBERS, *NO_DECIMALS, *NO_TEXTS])
def test_what_is_no_plain_number_is_no_amount(amount):
    with pytest.raises(InvalidAmount) as refused:
        calls.charge(BOT, amount)

    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, RuntimeError)


def test_a_number_too_long_to_be_written_out_is_no_amount():
    with pytest.raises(InvalidAmount):
        calls.charge(BOT, 10**6000)


def test_an_exponent_is_refused_with_the_remedy():
    with pytest.raises(InvalidAmount, match=r"'1e\+16' is not valid: pass a plain number .* without sign or expon"):
        calls.charge(BOT, 1e16)


@pytest.mark.parametrize("bot", ["", "  ", 5, b"finance:bot", ["finance:bot"]])
def test_a_bot_is_a_text(bot):
    with pytest.raises(InvalidIdentifier):
        calls.charge(bot, 10)


def test_a_bot_is_needed():
    with pytest.raises(InvalidRequest, match=r"not passed: bot\."):
        calls.charge(None, 10)


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": "1"},
        {"quantity": True},
        {"price_id": 5},
        {"metadata": {"order": 4711}},
        {"metadata": {1: "one"}},
        {"overrides": ["region"]},
        {"overrides": {"region": None}},
        {"idempotency_key": 4711},
        {"idempotency_key": ""},
        {"idempotency_key": "a\nb"},
        {"idempotency_key": "schlüssel"},
        {"idempotency_key": "k" * 256},
    ],
)
def test_a_value_of_the_wrong_type_is_refused(fields):
    with pytest.raises(InvalidRequest) as refused:
        calls.charge(BOT, 10, **fields)

    assert next(iter(fields)) in str(refused.value)


def test_a_given_idempotency_key_is_kept_and_a_missing_one_is_made():
    assert calls.charge(BOT, 10, idempotency_key="order 4711").request.idempotency_key == "order 4711"
    assert len(calls.charge(BOT, 10).request.idempotency_key) == 36
    assert calls.charge(BOT, 10).request.idempotency_key != calls.charge(BOT, 10).request.idempotency_key


def test_a_customer_is_given_as_a_dict_or_as_keywords():
    by_dict = calls.create_customer(BOT, {"email": "bot@example.com"}, name="Bot")
    by_keywords = calls.create_customer(BOT, email="bot@example.com", name="Bot")

    assert body_of(by_dict) == body_of(by_keywords) == {"bot": BOT, "email": "bot@example.com", "name": "Bot"}


def test_a_field_that_is_given_twice_is_refused():
    with pytest.raises(InvalidRequest, match=r"email was passed both in customer and as a keyword"):
        calls.create_customer(BOT, {"email": "a@example.com"}, email="b@example.com")


@pytest.mark.parametrize(
    "make",
    [
        lambda: calls.create_customer(BOT, {"mail": "bot@example.com"}),
        lambda: calls.create_checkout_session(BOT, {"success_url": "https://example.com/s", "color": "red"}),
        lambda: calls.register_route("analytics", "new_bot", {**ROUTE, "amount": "10"}),
        lambda: calls.register_override({**OVERRIDE, "priority": "1"}),
    ],
)
def test_a_field_that_no_one_knows_is_refused(make):
    with pytest.raises(InvalidRequest, match=r"Unknown in \w+: (mail|color|amount|priority)\. The fields are: "):
        make()


@pytest.mark.parametrize("field", ["business_category", "bot_name", "key", "value", "route"])
def test_an_override_needs_its_parts(field):
    override = {name: value for name, value in OVERRIDE.items() if name != field}

    with pytest.raises(InvalidRequest, match=rf"not passed: {field}\."):
        calls.register_override(override)


def test_a_checkout_needs_where_to_go_after_success():
    with pytest.raises(InvalidRequest, match=r"not passed: success_url\."):
        calls.create_checkout_session(BOT, {"cancel_url": "https://example.com/c"})


@pytest.mark.parametrize("field", ["secret_key", "public_key", "SECRET_KEY"])
def test_a_route_and_an_override_hold_no_key_fields(field):
    with pytest.raises(KeyNotAllowed):
        calls.register_route("analytics", "new_bot", {**ROUTE, field: "anything"})
    with pytest.raises(KeyNotAllowed):
        calls.register_override({**OVERRIDE, field: "anything"})
    with pytest.raises(KeyNotAllowed):
        calls.register_override({**OVERRIDE, "route": {field: "anything"}})


@pytest.mark.parametrize(
    "prefix",
    [
        "sk_live_",
        "sk_test_",
        "rk_live_",
        "pk_live_",
        "sk_org_live_",
        "sk_org_",
        "whsec_",
        "SK_LIVE_",
        "hvs.",
        "s.",
        "brt_",
    ],
)
def test_what_looks_like_a_key_is_refused_wherever_it_is_and_not_repeated(prefix):
    key = prefix + secrets.token_hex(16)
    makers = [
        lambda: calls.register_route("analytics", "new_bot", {**ROUTE, "price_id": key}),
        lambda: calls.register_route("analytics", "new_bot", {**ROUTE, key: "x"}),
        lambda: calls.register_override({**OVERRIDE, "value": f"is {key}"}),
        lambda: calls.charge(BOT, key),
        lambda: calls.charge(key, 10),
        lambda: calls.charge(BOT, 10, metadata={key: 5}),
        lambda: calls.charge(BOT, 10, description=f"with {key}"),
        lambda: calls.charge(BOT, 10, idempotency_key=key),
        lambda: calls.create_checkout_session(BOT, success_url="https://e.com", line_items=[{"price": {"id": key}}]),
        lambda: calls.get_balance(key),
    ]

    for make in makers:
        with pytest.raises(KeyNotAllowed) as refused:
            make()
        assert key not in str(refused.value)


def test_a_word_that_ends_like_a_key_begins_is_no_key():
    assert body_of(calls.charge(BOT, description="task_live_view"))["description"] == "task_live_view"


def test_a_time_says_its_zone():
    resolved = calls.resolve(BOT, {"region": "eu"}, datetime(2026, 1, 2, tzinfo=UTC))

    assert body_of(resolved) == {"bot": BOT, "overrides": {"region": "eu"}, "as_of": "2026-01-02T00:00:00+00:00"}
    with pytest.raises(InvalidRequest, match=r"time zone"):
        calls.resolve(BOT, as_of=datetime(2026, 1, 2))  # noqa: DTZ001 (the mistake that is refused)


def test_a_value_that_json_does_not_know_is_refused():
    with pytest.raises(InvalidRequest, match=r"JSON"):
        calls.create_checkout_session(BOT, success_url="https://example.com/s", line_items=[{"price": object()}])


@pytest.mark.parametrize("limit", [0, -1, "5", True])
def test_a_list_is_limited_by_a_count(limit):
    with pytest.raises(InvalidRequest):
        calls.list_payments(limit=limit)
