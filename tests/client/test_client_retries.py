"""Retries and polling without a socket: each result decides the next attempt."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from stripe_billing_router import calls
from stripe_billing_router.errors import (
    BillingError,
    NotAuthenticated,
    OutcomeUnknown,
    Paused,
    RouterUnavailable,
    StripeUnavailable,
    TooManyRequests,
)
from stripe_billing_router.retries import Backoff
from stripe_billing_router.transport import NoResponse, Response

BOT = "finance:finance_router_bot"
UNSENT = NoResponse(ConnectionRefusedError(), was_sent=False)
SENT = NoResponse(TimeoutError(), was_sent=True)


class Driver:
    """Runs a call with a clock of its own, which moves only while the call waits."""

    def __init__(self, call, wait=60.0) -> None:
        self.now = 0.0
        self.delays = []
        self._attempts = call.run(call.request, Backoff(wait, clock=lambda: self.now))
        self.attempt = next(self._attempts)

    def receive(self, result):
        self.attempt = self._attempts.send(result)
        self.now += self.attempt.delay
        self.delays.append(self.attempt.delay)
        return self.attempt

    def returns(self, result):
        with pytest.raises(StopIteration) as end:
            self._attempts.send(result)
        return end.value.value

    def raises(self, result):
        with pytest.raises(BillingError) as failure:
            self._receive_for_ever(result)
        return failure.value

    def _receive_for_ever(self, result):
        while True:
            self.receive(result)


def response(status, body, **headers: str):
    return Response(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode()
    )


def problem(status, code, detail="It is so.", **fields: object):
    return response(status, {"status": status, "code": code, "detail": detail, **fields})


def test_every_attempt_sends_the_same_bytes_with_the_same_key():
    driver = Driver(calls.charge(BOT, 10))
    first = driver.attempt.request

    again = driver.receive(SENT).request

    assert again == first
    assert again.idempotency_key


def test_the_delays_grow_to_some_seconds_and_end_with_the_wait():
    driver = Driver(calls.charge(BOT, 10), wait=60.0)

    error = driver.raises(UNSENT)

    assert isinstance(error, RouterUnavailable)
    assert 0.1 <= driver.delays[0] <= 0.2
    assert 2.5 <= max(driver.delays) <= 5.0
    assert driver.now == pytest.approx(60.0)


def test_without_a_wait_there_is_one_attempt():
    driver = Driver(calls.charge(BOT, 10), wait=0)

    assert isinstance(driver.raises(UNSENT), RouterUnavailable)
    assert driver.now == 0.0


def in_an_hour():
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize("retry_after", [lambda: "7", in_an_hour])
def test_retry_after_is_waited_for(retry_after):
    driver = Driver(calls.charge(BOT, 10), wait=4000.0)

    attempt = driver.receive(
        response(503, {"code": "registry_busy", "retry_with_same_key": True}, Retry_After=retry_after())
    )

    assert 7.0 <= attempt.delay <= 3600.0


def test_a_longer_delay_than_is_left_ends_the_call_at_once():
    driver = Driver(calls.charge(BOT, 10), wait=5.0)

    error = driver.raises(response(429, {"code": "too_many_requests"}, Retry_After="6"))

    assert isinstance(error, TooManyRequests)
    assert driver.now == 0.0


@pytest.mark.parametrize("retry_after", ["soon", "nan", "inf", "-5", ""])
def test_an_invalid_retry_after_is_ignored(retry_after):
    driver = Driver(calls.charge(BOT, 10))

    attempt = driver.receive(
        response(503, {"code": "registry_busy", "retry_with_same_key": True}, Retry_After=retry_after)
    )

    assert attempt.delay <= 0.2


def test_paused_billing_is_raised_at_once():
    error = Driver(calls.charge(BOT, 10, idempotency_key="order-4711")).raises(problem(422, "paused"))

    assert isinstance(error, Paused)
    assert str(error).startswith('It is so. Retry with idempotency_key="order-4711"')


def test_an_error_says_nothing_about_an_attempt_without_a_response():
    driver = Driver(calls.charge(BOT, 10, idempotency_key="order-4711"))
    driver.receive(SENT)

    error = driver.raises(problem(401, "not_authenticated"))

    assert isinstance(error, OutcomeUnknown)
    assert isinstance(error.__cause__, NotAuthenticated)
    assert error.context["idempotency_key"] == "order-4711"


def test_an_error_stands_when_nothing_was_sent_before():
    driver = Driver(calls.charge(BOT, 10))
    driver.receive(UNSENT)

    assert isinstance(driver.raises(problem(401, "not_authenticated")), NotAuthenticated)


def test_an_error_that_carries_the_payment_holds_for_every_attempt():
    driver = Driver(calls.charge(BOT, 10))
    driver.receive(SENT)

    error = driver.raises(problem(503, "stripe_unavailable", payment={"id": "pay_1", "status": "received"}))

    assert isinstance(error, StripeUnavailable)


def test_a_payment_that_needs_review_is_not_polled():
    driver = Driver(calls.charge(BOT, 10))

    error = driver.raises(response(202, {"id": "pay_1", "status": "needs_review"}))

    assert isinstance(error, OutcomeUnknown)
    assert driver.now == 0.0


def test_a_created_payment_that_did_not_succeed_is_not_returned():
    driver = Driver(calls.charge(BOT, 10))

    attempt = driver.receive(response(201, {"id": "pay/1", "status": "processing"}))

    assert attempt.request.target == "/charges/pay%2F1"


def test_an_unknown_outcome_in_a_problem_is_polled_too():
    driver = Driver(calls.charge(BOT, 10))
    unknown = problem(202, "outcome_unknown", payment={"id": "pay_1", "status": "unknown"})

    attempt = driver.receive(unknown)

    assert attempt.request.target == "/charges/pay_1"


def test_a_poll_that_fails_leaves_the_outcome_unknown():
    driver = Driver(calls.charge(BOT, 10, idempotency_key="order-4711"))
    driver.receive(response(202, {"id": "pay_1", "status": "unknown"}))

    error = driver.raises(problem(403, "not_permitted"))

    assert isinstance(error, OutcomeUnknown)
    assert error.context == {"payment": {"id": "pay_1", "status": "unknown"}, "idempotency_key": "order-4711"}


def test_a_refund_with_an_unknown_outcome_is_sent_again_with_the_same_key():
    driver = Driver(calls.refund(BOT, "pi_test"))
    first = driver.attempt.request

    again = driver.receive(response(202, {"id": "pay_2", "status": "unknown"})).request

    assert again == first
    assert driver.returns(response(201, {"id": "pay_2", "status": "succeeded"})) == {
        "id": "pay_2",
        "status": "succeeded",
    }


def test_an_unknown_code_is_named_in_the_error():
    error = Driver(calls.charge(BOT, 10)).raises(problem(418, "teapot", money_may_have_moved=False, limit=5))

    assert type(error) is BillingError
    assert str(error) == "It is so. (code: teapot)"
    assert error.context["limit"] == 5


def test_an_unknown_code_that_may_have_moved_money_is_an_unknown_outcome():
    error = Driver(calls.charge(BOT, 10)).raises(problem(500, "teapot", money_may_have_moved=True))

    assert isinstance(error, OutcomeUnknown)


def test_a_proxys_error_is_not_taken_for_the_routers():
    driver = Driver(calls.charge(BOT, 10))

    error = driver.raises(response(504, {"code": "upstream_timeout", "message": "too slow"}))

    assert isinstance(error, RouterUnavailable)
    assert driver.delays


def test_a_problem_may_have_members_of_any_name():
    error = Driver(calls.charge(BOT, 10)).raises(problem(401, "not_authenticated", message="m", self="s"))

    assert isinstance(error, NotAuthenticated)
    assert error.context["message"] == "m"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"code"', b"\xff", b"[" * 100_000, b'{"code": 5}'])
def test_a_response_that_is_not_the_routers_is_router_unavailable(body):
    for status in (301, 404, 502):
        assert isinstance(Driver(calls.charge(BOT, 10)).raises(Response(status, {}, body)), RouterUnavailable)


def test_a_success_without_a_payment_is_no_success():
    for body in (b"<html>", b"[]", b'{"code": 5}', b'{"id": 1, "status": 2}'):
        error = Driver(calls.charge(BOT, 10, idempotency_key="order-4711")).raises(Response(201, {}, body))

        assert isinstance(error, RouterUnavailable)
        assert error.context["idempotency_key"] == "order-4711"


def test_errors_survive_a_pickle():
    error = Driver(calls.charge(BOT, 10, idempotency_key="order-4711")).raises(problem(422, "paused"))

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (made two words ago)

    assert (type(again), str(again), again.context) == (type(error), str(error), error.context)
