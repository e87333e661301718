"""Stripe's idempotency: one execution for a key, whatever is thrown at it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)


def test_a_repeat_is_answered_from_the_store(merchant):
    params = merchant.payer().charge()
    first = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    again = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    headers = again.last_response.headers
    assert again.last_response.body == first.last_response.body
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert len(merchant.control.objects(merchant.key, "payment_intents")) == 1


def test_the_order_of_parameters_does_not_matter(merchant):
    params = merchant.payer().charge()
    first = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    again = merchant.v1.payment_intents.create(dict(reversed(params.items())), {"idempotency_key": "k"})

    assert again.id == first.id


def test_the_same_key_with_another_body_or_endpoint_is_an_idempotency_error(merchant):
    payer = merchant.payer()
    merchant.v1.payment_intents.create(payer.charge(1000), {"idempotency_key": "k"})

    with pytest.raises(stripe.IdempotencyError):
        merchant.v1.payment_intents.create(payer.charge(1001), {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        merchant.v1.customers.create({}, {"idempotency_key": "k"})


def test_keys_of_one_account_mean_nothing_to_another(merchant, control):
    other = type(merchant)(control, "acct_other", merchant.key.replace("sk_", "rk_"))
    first = merchant.v1.customers.create({"name": "a"}, {"idempotency_key": "k"})

    second = other.v1.customers.create({"name": "b"}, {"idempotency_key": "k"})

    assert first.id != second.id


def test_a_decline_is_stored(merchant):
    payer = merchant.payer("declined")
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            merchant.v1.payment_intents.create(payer.charge(), {"idempotency_key": "k"})

    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert len(merchant.control.objects(merchant.key, "payment_intents")) == 1


def test_failed_validation_is_not_stored(merchant):
    payer = merchant.payer()
    with pytest.raises(stripe.InvalidRequestError):
        merchant.v1.payment_intents.create(payer.charge(1), {"idempotency_key": "k"})

    charged = merchant.v1.payment_intents.create(payer.charge(1000), {"idempotency_key": "k"})

    assert charged.status == "succeeded"


@pytest.mark.parametrize("status", [401, 409, 429, 500, 503])
def test_an_error_without_effect_is_not_stored(merchant, control, status):
    params = merchant.payer().charge()
    control.fault("status", status=status, path="/v1/payment_intents")
    with pytest.raises(stripe.StripeError) as caught:
        merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    charged = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    assert caught.value.http_status == status
    assert charged.status == "succeeded"
    assert "Idempotent-Replayed" not in charged.last_response.headers


def test_a_500_with_effect_is_stored_and_never_changes(merchant, control):
    params = merchant.payer().charge()
    control.fault("status", status=500, effect=True, path="/v1/payment_intents")
    for _ in range(3):
        with pytest.raises(stripe.APIError) as caught:
            merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert [each["status"] for each in control.objects(merchant.key, "payment_intents")] == ["succeeded"]


def test_a_stored_500_without_effect_can_be_ordered(merchant, control):
    params = merchant.payer().charge()
    control.fault("status", status=500, stored=True, path="/v1/payment_intents")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    assert control.objects(merchant.key, "payment_intents") == []


def test_a_key_is_forgotten_after_24_hours_and_not_before(merchant, control):
    params = merchant.payer().charge()
    first = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    control.advance_clock(24 * 3600 - 60)
    replayed = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})
    control.advance_clock(120)

    second = merchant.v1.payment_intents.create(params, {"idempotency_key": "k"})

    assert replayed.id == first.id
    assert second.id != first.id


def test_a_call_in_flight_is_409(merchant, control):
    params = merchant.payer().charge()
    control.fault("latency", seconds=0.6, path="/v1/payment_intents")
    with ThreadPoolExecutor(2) as pool:
        slow, fast = (
            pool.submit(merchant.v1.payment_intents.create, params, {"idempotency_key": "k"}) for _ in range(2)
        )
        errors = [future.exception() for future in (slow, fast)]

    refused = next(error for error in errors if error)
    assert refused.http_status == 409
    assert refused.error.code == "idempotency_key_in_use"
    assert errors.count(None) == 1


def test_64_clients_with_few_keys_charge_each_key_once(merchant):
    params = merchant.payer().charge()
    keys = [f"k{number}" for number in range(8)] * 16

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda key: outcome(merchant, params, key), keys))

    intents = merchant.control.objects(merchant.key, "payment_intents")
    assert len(intents) == 8
    assert len({answer for answer in answers if answer != 409}) == 8
    assert Counter(each["status"] for each in intents) == {"succeeded": 8}


def outcome(merchant, params, key):
    """Return the intent's id, or 409 for a call that met another in flight."""
    try:
        return merchant.v1.payment_intents.create(params, {"idempotency_key": key}).id
    except stripe.APIError as error:
        return error.http_status


def test_a_key_longer_than_255_characters_is_refused(merchant):
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        merchant.v1.customers.create({}, {"idempotency_key": "k" * 256})
