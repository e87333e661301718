"""Every cell of the outcome table."""

from __future__ import annotations

import pytest

from routing.payments.kinds import Kind
from routing.payments.states import Status
from routing.payments.stripe_api.outcomes import object_outcome, response_outcome
from routing.payments.stripe_api.responses import StripeResponse


def intent(status: str, **fields: object) -> StripeResponse:
    return StripeResponse(200, {"object": "payment_intent", "livemode": True, "status": status, **fields})


def error(http_status: int, error_type: str) -> StripeResponse:
    return StripeResponse(http_status, {"error": {"type": error_type}})


REPLAYED_ERROR = StripeResponse(400, {"error": {"type": "invalid_request_error"}}, is_replay=True)
NOT_SENT = StripeResponse(was_sent=False)
NO_RESPONSE = StripeResponse()
NOT_JSON = StripeResponse(200, None)
HTML_ERROR = StripeResponse(502, None)


@pytest.mark.parametrize(
    ("response", "first", "resend"),
    [
        (intent("succeeded"), Status.SUCCEEDED, Status.SUCCEEDED),
        (intent("processing"), Status.PROCESSING, Status.PROCESSING),
        (intent("requires_action"), Status.REQUIRES_ACTION, Status.REQUIRES_ACTION),
        (intent("requires_payment_method"), Status.DECLINED, Status.DECLINED),
        (intent("canceled"), Status.CANCELED, Status.CANCELED),
        (intent("a_new_status"), Status.UNKNOWN, Status.UNKNOWN),
        (intent("succeeded", livemode=False), Status.NEEDS_REVIEW, Status.NEEDS_REVIEW),
        (error(402, "card_error"), Status.DECLINED, Status.DECLINED),
        (error(402, "something_else"), Status.UNKNOWN, Status.UNKNOWN),
        (error(429, "rate_limit_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(401, "authentication_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(403, "invalid_request_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(409, "idempotency_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(400, "invalid_request_error"), Status.REJECTED, Status.UNKNOWN),
        (error(404, "invalid_request_error"), Status.REJECTED, Status.UNKNOWN),
        (REPLAYED_ERROR, Status.REJECTED, Status.REJECTED),
        (error(400, "idempotency_error"), Status.NEEDS_REVIEW, Status.NEEDS_REVIEW),
        (error(400, "a_new_type"), Status.UNKNOWN, Status.UNKNOWN),
        (error(424, "api_error"), Status.UNKNOWN, Status.UNKNOWN),
        (error(500, "api_error"), Status.UNKNOWN, Status.UNKNOWN),
        (error(503, "api_error"), Status.UNKNOWN, Status.UNKNOWN),
        (StripeResponse(400, {"error": "a text"}), Status.UNKNOWN, Status.UNKNOWN),
        (StripeResponse(302, {}), Status.UNKNOWN, Status.UNKNOWN),
        (NOT_SENT, Status.RECEIVED, Status.UNKNOWN),
        (NO_RESPONSE, Status.UNKNOWN, Status.UNKNOWN),
        (NOT_JSON, Status.UNKNOWN, Status.UNKNOWN),
        (HTML_ERROR, Status.UNKNOWN, Status.UNKNOWN),
    ],
)
def test_the_outcome_of_a_charge(response, first, resend):
    assert response_outcome(Kind.CHARGE, response, is_resend=False) is first
    assert response_outcome(Kind.CHARGE, response, is_resend=True) is resend


@pytest.mark.parametrize(
    ("status", "expected"),
    [("paid", Status.SUCCEEDED), ("void", Status.CANCELED), ("open", Status.UNKNOWN), ("draft", Status.UNKNOWN)],
)
def test_an_invoice_has_succeeded_only_when_it_is_paid(status, expected):
    response = StripeResponse(200, {"object": "invoice", "livemode": True, "status": status})

    assert response_outcome(Kind.INVOICE, response, is_resend=False) is expected


@pytest.mark.parametrize(("name", "expected"), [("customer", Status.SUCCEEDED), ("list", Status.UNKNOWN)])
def test_a_customer_exists_only_when_stripe_returns_one(name, expected):
    response = StripeResponse(200, {"object": name})

    assert response_outcome(Kind.CUSTOMER, response, is_resend=False) is expected


@pytest.mark.parametrize(
    ("billing_reason", "expected"),
    [("subscription_create", Status.CANCELED), ("subscription_cycle", Status.SUCCEEDED)],
)
@pytest.mark.parametrize("status", ["open", "void", "uncollectible"])
def test_a_canceled_subscription_was_paid_if_only_a_renewal_was_not(billing_reason, status, expected):
    invoice = {"object": "invoice", "billing_reason": billing_reason, "status": status}
    subscription = {"object": "subscription", "status": "canceled", "latest_invoice": invoice}

    assert object_outcome(Kind.SUBSCRIPTION, subscription) == expected
