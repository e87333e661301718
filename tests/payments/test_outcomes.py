"""Every cell of the outcome table."""

from __future__ import annotations

import pytest

from routing.payments.kinds import Kind
from routing.payments.states import Status
from routing.payments.stripe_api.outcomes import response_outcome
from routing.payments.stripe_api.responses import StripeResponse


def intent(status: str, **more: object) -> StripeResponse:
    return StripeResponse(200, {"object": "payment_intent", "livemode": True, "status": status, **more})


def error(http_status: int, kind: str, **more: object) -> StripeResponse:
    return StripeResponse(http_status, {"error": {"type": kind, **more}})


STORED_REFUSAL = StripeResponse(400, {"error": {"type": "invalid_request_error"}}, is_replay=True)
NEVER_SENT = StripeResponse(was_sent=False)
NO_ANSWER = StripeResponse()
NOT_JSON = StripeResponse(200, None)
HTML_ERROR = StripeResponse(502, None)


@pytest.mark.parametrize(
    ("answer", "first", "resend"),
    [
        (intent("succeeded"), Status.SUCCEEDED, Status.SUCCEEDED),
        (intent("processing"), Status.PROCESSING, Status.PROCESSING),
        (intent("requires_action"), Status.REQUIRES_ACTION, Status.REQUIRES_ACTION),
        (intent("requires_payment_method"), Status.DECLINED, Status.DECLINED),
        (intent("canceled"), Status.CANCELED, Status.CANCELED),
        (intent("a status of tomorrow"), Status.UNKNOWN, Status.UNKNOWN),
        (intent("succeeded", livemode=False), Status.NEEDS_REVIEW, Status.NEEDS_REVIEW),
        (error(402, "card_error"), Status.DECLINED, Status.DECLINED),
        (error(402, "something_else"), Status.UNKNOWN, Status.UNKNOWN),
        (error(429, "rate_limit_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(401, "authentication_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(403, "invalid_request_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(409, "idempotency_error"), Status.RECEIVED, Status.UNKNOWN),
        (error(400, "invalid_request_error"), Status.REJECTED, Status.UNKNOWN),
        (error(404, "invalid_request_error"), Status.REJECTED, Status.UNKNOWN),
        (STORED_REFUSAL, Status.REJECTED, Status.REJECTED),
        (error(400, "idempotency_error"), Status.NEEDS_REVIEW, Status.NEEDS_REVIEW),
        (error(400, "a type of tomorrow"), Status.UNKNOWN, Status.UNKNOWN),
        (error(424, "api_error"), Status.UNKNOWN, Status.UNKNOWN),
        (error(500, "api_error"), Status.UNKNOWN, Status.UNKNOWN),
        (error(503, "api_error"), Status.UNKNOWN, Status.UNKNOWN),
        (StripeResponse(400, {"error": "a text"}), Status.UNKNOWN, Status.UNKNOWN),
        (StripeResponse(302, {}), Status.UNKNOWN, Status.UNKNOWN),
        (NEVER_SENT, Status.RECEIVED, Status.UNKNOWN),
        (NO_ANSWER, Status.UNKNOWN, Status.UNKNOWN),
        (NOT_JSON, Status.UNKNOWN, Status.UNKNOWN),
        (HTML_ERROR, Status.UNKNOWN, Status.UNKNOWN),
    ],
)
def test_an_answer_to_a_charge_means(answer, first, resend):
    assert response_outcome(Kind.CHARGE, answer, is_resend=False) is first
    assert response_outcome(Kind.CHARGE, answer, is_resend=True) is resend


@pytest.mark.parametrize(
    ("status", "expected"),
    [("paid", Status.SUCCEEDED), ("void", Status.CANCELED), ("open", Status.UNKNOWN), ("draft", Status.UNKNOWN)],
)
def test_an_invoice_has_succeeded_only_when_it_is_paid(status, expected):
    answer = StripeResponse(200, {"object": "invoice", "livemode": True, "status": status})

    assert response_outcome(Kind.INVOICE, answer, is_resend=False) is expected


def test_a_customer_exists_only_when_stripe_returns_one():
    assert (
        response_outcome(Kind.CUSTOMER, StripeResponse(200, {"object": "customer"}), is_resend=False)
        is Status.SUCCEEDED
    )
    assert response_outcome(Kind.CUSTOMER, StripeResponse(200, {"object": "list"}), is_resend=False) is Status.UNKNOWN
