"""How long the router is asked, with no socket: what is sent next is decided by what came back."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from stripe_billing_router import calls
from stripe_billing_router.conversation import Patience
from stripe_billing_router.errors import (
    BillingError,
    NotAuthenticated,
    OutcomeUnknown,
    Paused,
    RouterUnavailable,
    StripeUnavailable,
    TooManyRequests,
)
from stripe_billing_router.wire import Answer, Lost

BOT = "finance:finance_router_bot"
UNSENT = Lost(ConnectionRefusedError(), was_sent=False)
SENT = Lost(TimeoutError(), was_sent=True)


class Talk:
    """Drives a call with a clock of its own, which moves only while the call waits."""

    def __init__(self, call, wait=60.0) -> None:
        self.now = 0.0
        self.pauses = []
        self._conversation = call.talk(call.request, Patience(wait, clock=lambda: self.now))
        self.step = next(self._conversation)

    def hears(self, reply):
        self.step = self._conversation.send(reply)
        self.now += self.step.after
        self.pauses.append(self.step.after)
        return self.step

    def ends(self, reply):
        with pytest.raises(StopIteration) as end:
            self._conversation.send(reply)
        return end.value.value

    def fails(self, reply):
        with pytest.raises(BillingError) as failure:
            self._hears_for_ever(reply)
        return failure.value

    def _hears_for_ever(self, reply):
        while True:
            self.hears(reply)


def said(status, body, **headers: str):
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


def problem(status, code, detail="It is so.", **fields: object):
    return said(status, {"status": status, "code": code, "detail": detail, **fields})


def test_every_attempt_sends_the_same_bytes_with_the_same_key():
    talk = Talk(calls.charge(BOT, 10))
    first = talk.step.request

    again = talk.hears(SENT).request

    assert again == first
    assert again.idempotency_key


def test_the_pauses_grow_to_some_seconds_and_end_with_the_wait():
    talk = Talk(calls.charge(BOT, 10), wait=60.0)

    error = talk.fails(UNSENT)

    assert isinstance(error, RouterUnavailable)
    assert 0.1 <= talk.pauses[0] <= 0.2
    assert 2.5 <= max(talk.pauses) <= 5.0
    assert talk.now == pytest.approx(60.0)


def test_no_wait_is_one_attempt():
    talk = Talk(calls.charge(BOT, 10), wait=0)

    assert isinstance(talk.fails(UNSENT), RouterUnavailable)
    assert talk.now == 0.0


def in_an_hour():
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize("asked", [lambda: "7", in_an_hour])
def test_the_router_is_left_alone_for_as_long_as_it_asks(asked):
    talk = Talk(calls.charge(BOT, 10), wait=4000.0)

    step = talk.hears(said(503, {"code": "registry_busy", "retry_with_same_key": True}, Retry_After=asked()))

    assert 7.0 <= step.after <= 3600.0


def test_a_longer_pause_than_is_left_ends_the_call_at_once():
    talk = Talk(calls.charge(BOT, 10), wait=5.0)

    error = talk.fails(said(429, {"code": "too_many_requests"}, Retry_After="6"))

    assert isinstance(error, TooManyRequests)
    assert talk.now == 0.0


@pytest.mark.parametrize("asked", ["soon", "nan", "inf", "-5", ""])
def test_a_pause_that_cannot_be_read_is_not_waited_for(asked):
    talk = Talk(calls.charge(BOT, 10))

    step = talk.hears(said(503, {"code": "registry_busy", "retry_with_same_key": True}, Retry_After=asked))

    assert step.after <= 0.2


def test_a_pause_of_billing_is_told_and_not_waited_out():
    error = Talk(calls.charge(BOT, 10, idempotency_key="order-4711")).fails(problem(422, "paused"))

    assert isinstance(error, Paused)
    assert str(error).startswith('It is so. Repeat the call with idempotency_key="order-4711"')


def test_a_refusal_says_nothing_of_an_attempt_that_got_no_answer():
    talk = Talk(calls.charge(BOT, 10, idempotency_key="order-4711"))
    talk.hears(SENT)

    error = talk.fails(problem(401, "not_authenticated"))

    assert isinstance(error, OutcomeUnknown)
    assert isinstance(error.__cause__, NotAuthenticated)
    assert error.context["idempotency_key"] == "order-4711"


def test_a_refusal_speaks_for_itself_when_nothing_was_sent_before():
    talk = Talk(calls.charge(BOT, 10))
    talk.hears(UNSENT)

    assert isinstance(talk.fails(problem(401, "not_authenticated")), NotAuthenticated)


def test_a_refusal_that_carries_the_payment_speaks_for_every_attempt():
    talk = Talk(calls.charge(BOT, 10))
    talk.hears(SENT)

    error = talk.fails(problem(503, "stripe_unavailable", payment={"id": "pay_1", "status": "received"}))

    assert isinstance(error, StripeUnavailable)


def test_a_payment_that_a_person_must_settle_is_not_waited_for():
    talk = Talk(calls.charge(BOT, 10))

    error = talk.fails(said(202, {"id": "pay_1", "status": "needs_review"}))

    assert isinstance(error, OutcomeUnknown)
    assert talk.now == 0.0


def test_a_created_payment_that_did_not_succeed_is_not_returned():
    talk = Talk(calls.charge(BOT, 10))

    step = talk.hears(said(201, {"id": "pay/1", "status": "processing"}))

    assert step.request.target == "/charges/pay%2F1"


def test_an_open_outcome_told_as_a_problem_is_waited_out_too():
    talk = Talk(calls.charge(BOT, 10))
    open_outcome = problem(202, "outcome_unknown", payment={"id": "pay_1", "status": "unknown"})

    step = talk.hears(open_outcome)

    assert step.request.target == "/charges/pay_1"


def test_a_look_up_that_is_refused_leaves_the_outcome_unknown():
    talk = Talk(calls.charge(BOT, 10, idempotency_key="order-4711"))
    talk.hears(said(202, {"id": "pay_1", "status": "unknown"}))

    error = talk.fails(problem(403, "not_permitted"))

    assert isinstance(error, OutcomeUnknown)
    assert error.context == {"payment": {"id": "pay_1", "status": "unknown"}, "idempotency_key": "order-4711"}


def test_an_open_refund_is_asked_for_again_with_the_same_key():
    talk = Talk(calls.refund(BOT, "pi_test"))
    first = talk.step.request

    again = talk.hears(said(202, {"id": "pay_2", "status": "unknown"})).request

    assert again == first
    assert talk.ends(said(201, {"id": "pay_2", "status": "succeeded"})) == {"id": "pay_2", "status": "succeeded"}


def test_an_unknown_code_is_told_with_its_name():
    error = Talk(calls.charge(BOT, 10)).fails(problem(418, "teapot", money_may_have_moved=False, limit=5))

    assert type(error) is BillingError
    assert str(error) == "It is so. (code: teapot)"
    assert error.context["limit"] == 5


def test_an_unknown_code_that_may_have_moved_money_is_an_unknown_outcome():
    error = Talk(calls.charge(BOT, 10)).fails(problem(500, "teapot", money_may_have_moved=True))

    assert isinstance(error, OutcomeUnknown)


def test_a_gateways_own_error_is_not_taken_for_the_routers():
    talk = Talk(calls.charge(BOT, 10))

    error = talk.fails(said(504, {"code": "upstream_timeout", "message": "too slow"}))

    assert isinstance(error, RouterUnavailable)
    assert talk.pauses


def test_a_problem_may_carry_any_names():
    error = Talk(calls.charge(BOT, 10)).fails(problem(401, "not_authenticated", message="m", self="s"))

    assert isinstance(error, NotAuthenticated)
    assert error.context["message"] == "m"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"code"', b"\xff", b"[" * 100_000, b'{"code": 5}'])
def test_an_answer_that_is_not_the_routers_is_told_as_such(body):
    for status in (301, 404, 502):
        assert isinstance(Talk(calls.charge(BOT, 10)).fails(Answer(status, {}, body)), RouterUnavailable)


def test_a_success_without_a_payment_is_no_success():
    for body in (b"<html>", b"[]", b'{"code": 5}', b'{"id": 1, "status": 2}'):
        error = Talk(calls.charge(BOT, 10, idempotency_key="order-4711")).fails(Answer(201, {}, body))

        assert isinstance(error, RouterUnavailable)
        assert error.context["idempotency_key"] == "order-4711"


def test_errors_survive_a_pickle():
    error = Talk(calls.charge(BOT, 10, idempotency_key="order-4711")).fails(problem(422, "paused"))

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (pickled on this line)

    assert (type(again), str(again), again.context) == (type(error), str(error), error.context)
