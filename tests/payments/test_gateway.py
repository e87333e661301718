"""Reads of an object that may not exist: only Stripe itself can say so, and a proxy's 404 is no response."""

from __future__ import annotations

import json

import pytest

from routing.errors import NoPaymentMethod, StripeUnavailable
from routing.payments.kinds import PAYMENT_INTENT
from routing.payments.stripe_api import gateway
from routing.registry.models import Route

NOT_FROM_STRIPE = [
    pytest.param("<html><body>404 Not Found</body></html>", id="HTML"),
    pytest.param("", id="an empty body"),
    pytest.param("{}", id="an empty object"),
    pytest.param(json.dumps({"error": "resource_missing"}), id="an error that is a string"),
    pytest.param(
        json.dumps({"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}),
        id="an error without a code",
    ),
    pytest.param(
        json.dumps({"error": {"type": "invalid_request_error", "code": "account_invalid"}}),
        id="an error of another code",
    ),
]


@pytest.fixture
def charged(pay) -> str:
    """Return the path of a payment intent that exists."""
    return PAYMENT_INTENT.path_of(pay(amount="10").payment_intent_id)


def test_an_object_is_returned_as_it_is_at_stripe(keys, charged):
    found = gateway.retrieve(keys, charged)

    assert found is not None
    assert PAYMENT_INTENT.path_of(found["id"]) == charged


def test_an_object_that_stripe_does_not_have_is_none(keys):
    assert gateway.retrieve(keys, PAYMENT_INTENT.path_of("pi_missing")) is None


@pytest.mark.parametrize("body", NOT_FROM_STRIPE)
def test_a_404_that_is_not_stripes_own_is_no_response(keys, charged, stripe, body):
    stripe.control.fault("another_answer", method="GET", path=charged, status=404, body=body)

    with pytest.raises(StripeUnavailable, match=charged):
        gateway.retrieve(keys, charged)

    assert gateway.retrieve(keys, charged) is not None


@pytest.mark.parametrize("status", [400, 410, 500])
def test_missing_under_another_http_status_is_no_response(keys, charged, stripe, status):
    body = json.dumps({"error": {"type": "invalid_request_error", "code": "resource_missing"}})
    stripe.control.fault("another_answer", method="GET", path=charged, status=status, body=body)

    with pytest.raises(StripeUnavailable):
        gateway.retrieve(keys, charged)


@pytest.mark.parametrize("body", NOT_FROM_STRIPE)
def test_a_charge_whose_customer_cannot_be_read_can_be_retried(pay, stripe, body):
    stripe.control.fault("another_answer", method="GET", path="/v1/customers/*", status=404, body=body, count=None)

    with pytest.raises(StripeUnavailable) as caught:
        pay(amount="10")
    stripe.control.clear_faults()

    assert (caught.value.status, caught.value.retry_with_same_key) == (503, True)
    assert not caught.value.money_may_have_moved
    assert stripe.requests("POST") == []
    assert pay(amount="10").status == "succeeded"


def test_a_customer_that_stripe_does_not_have_is_a_mistake_in_the_route(pay):
    Route.objects.update(customer_id="cus_missing")

    with pytest.raises(NoPaymentMethod, match="cus_missing does not exist"):
        pay(amount="10")
