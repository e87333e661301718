"""Payments whose outcome is open are settled by evidence, and by nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from routing.payments.ledger import statements
from routing.payments.ledger.models import Payment
from routing.payments.operations.charges import Charge, charge
from routing.payments.settlement.recovery import settle_open, settle_open_together
from routing.payments.states import Status
from tests.payments.conftest import BOT, UNKNOWN_OUTCOMES
from tests.payments.ledger import A_DAY, FAR_AHEAD, LONG_AGO, make_due, make_older, recover, without_triggers
from tests.payments.stripe_account import use_card
from tests.payments.threads import at_once, closing_connection, until

INTENTS, PAY = "/v1/payment_intents", "/v1/invoices/*/pay"


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
@pytest.mark.parametrize(("fault", "options"), UNKNOWN_OUTCOMES)
def test_a_payment_of_unknown_outcome_is_resent_and_charged_once(pay, stripe, fault, options, fields):
    stripe.control.fault(fault, method="POST", path=PAY, **options)
    stripe.control.fault(fault, method="POST", path=INTENTS, **options)
    unknown = pay(**fields)

    settled = recover().get()

    assert (unknown.status, settled.status) == (Status.UNKNOWN, Status.SUCCEEDED)
    paid = [intent for intent in stripe.objects("payment_intents") if intent["status"] == "succeeded"]
    assert [intent["id"] for intent in paid] == [settled.payment_intent_id]


def test_a_charge_behind_an_error_that_stripe_has_stored_is_found(pay, stripe):
    stripe.control.fault("status", status=500, effect=True, path=INTENTS)
    pay(amount="10")

    settled = recover().get()

    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id == stripe.objects("payment_intents")[0]["id"]


@pytest.mark.parametrize("lost", ["/v1/invoiceitems/*", "/v1/invoices/*"])
def test_a_rejected_price_is_rejected_once_its_draft_is_deleted(pay, stripe, lost):
    stripe.control.fault("status", status=400, stored=True, method="POST", path="/v1/invoices/*/finalize")
    stripe.control.fault("status", status=503, method="DELETE", path=lost)
    unknown = pay()

    settled = recover().get()

    assert (unknown.status, settled.status) == (Status.UNKNOWN, Status.REJECTED)
    assert stripe.objects("invoices") == stripe.objects("invoiceitems") == []


def fail_every_resend(stripe) -> None:
    """Have Stripe respond to every resend with an error that does not say that it is stored."""
    body = '{"error": {"type": "api_error"}}'
    stripe.control.fault("another_answer", status=503, path=INTENTS, method="POST", nth=2, count=None, body=body)


def test_a_charge_that_stripe_made_is_found_while_every_resend_fails(pay, stripe):
    stripe.control.fault("status", status=500, effect=True, path=INTENTS)
    fail_every_resend(stripe)
    pay(amount="10")

    settled = recover().get()

    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id == stripe.objects("payment_intents")[0]["id"]


def test_an_invoice_that_a_person_voided_while_every_resend_fails_is_canceled(pay, stripe):
    stripe.control.fault("status", status=503, path=PAY, count=None)
    pay()
    [invoice] = stripe.objects("invoices")
    stripe.client.invoices.void_invoice(invoice["id"])

    assert recover().get().status == Status.CANCELED


def test_a_charge_that_is_not_paid_while_every_resend_fails_stays_unknown(pay, stripe):
    use_card(stripe, "declined")
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    fail_every_resend(stripe)
    pay(amount="10")

    waiting = recover().get()
    stripe.control.clear_faults()

    assert waiting.status == Status.UNKNOWN
    assert recover().get().status == Status.DECLINED


@pytest.mark.parametrize("status", [401, 409, 429])
def test_a_refusal_of_the_resend_does_not_settle_the_first_send(pay, stripe, status):
    stripe.control.fault("reset_after", path=INTENTS)
    stripe.control.fault("status", status=status, path=INTENTS, nth=2)
    pay(amount="10")

    assert recover().get().status == Status.UNKNOWN
    assert recover().get().status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1


def test_a_decline_whose_response_was_lost_is_declined(pay, stripe):
    use_card(stripe, "declined")
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")

    assert recover().get().status == Status.DECLINED


def test_a_price_whose_decline_was_lost_leaves_no_invoice_to_pay(pay, stripe):
    use_card(stripe, "declined")
    stripe.control.fault("reset_after", path=PAY)
    pay()

    assert recover().get().status == Status.DECLINED
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void"]


@pytest.mark.parametrize(
    "fault", [{"kind": "reset_before"}, {"kind": "reset_after"}, {"kind": "status", "status": 500}]
)
def test_a_declined_price_is_declined_once_its_invoice_is_void(pay, stripe, fault):
    use_card(stripe, "insufficient_funds")
    stripe.control.fault(**fault, path="/v1/invoices/*/void")
    unknown = pay()

    settled = recover().get()

    assert (unknown.status, settled.status) == (Status.UNKNOWN, Status.DECLINED)
    assert settled.error["decline_code"] == "insufficient_funds"
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void"]


@pytest.mark.parametrize(("age", "is_sent"), [(timedelta(hours=22, minutes=59), True), (timedelta(hours=23), False)])
def test_recovery_does_not_resend_a_payment_whose_key_stripe_may_soon_forget(pay, stripe, age, is_sent):
    stripe.control.fault("reset_before", path=INTENTS)
    pay(amount="10")
    make_older(age)

    recover()

    assert len(stripe.objects("payment_intents")) == is_sent


@pytest.mark.parametrize(("age", "is_sent"), [(timedelta(hours=22, minutes=59), True), (timedelta(hours=23), False)])
def test_a_retry_does_not_resend_a_payment_whose_key_stripe_may_soon_forget(pay, stripe, age, is_sent):
    stripe.control.fault("status", status=429, path=INTENTS)
    pay(amount="10")
    make_older(age)

    pay(amount="10")

    assert len(stripe.objects("payment_intents")) == is_sent


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_after_a_day_nothing_is_resent_and_the_charge_is_found_in_the_list(pay, stripe, fields):
    stripe.control.fault("reset_after", path=PAY)
    stripe.control.fault("reset_after", path=INTENTS)
    pay(**fields)
    make_older(A_DAY)
    stripe.control.advance_clock(25 * 3600)
    sent = len(stripe.requests("POST"))

    assert recover().get().status == Status.SUCCEEDED
    assert len(stripe.requests("POST")) == sent


def test_a_charge_that_was_never_made_is_canceled_only_after_two_searches_an_hour_apart(pay, stripe):
    stripe.control.fault("reset_before", path=INTENTS)
    pay(amount="10")
    make_older(A_DAY)

    first = recover().get()
    second = recover().get()
    Payment.objects.update(searches=["2020-01-01T00:00:00+00:00", *second.searches])
    third = recover().get()

    assert (first.status, second.status, third.status) == (Status.UNKNOWN, Status.UNKNOWN, Status.CANCELED)
    assert len(third.searches) == 4
    assert stripe.objects("payment_intents") == []


def test_a_payment_that_was_resent_within_the_last_day_is_not_canceled_however_old_it_is(pay, stripe):
    stripe.control.fault("reset_before", path=INTENTS)
    pay(amount="10")
    make_older(A_DAY)
    sent_at = timezone.now() - timedelta(hours=23)
    Payment.objects.update(sent_at=sent_at, searches=["2020-01-01T00:00:00+00:00", "2020-01-01T02:00:00+00:00"])

    assert recover().get().status == Status.UNKNOWN


def test_an_invoice_that_was_never_paid_is_voided_after_a_day(pay, stripe):
    stripe.control.fault("reset_before", path=PAY)
    pay()
    make_older(A_DAY)

    assert recover().get().status == Status.CANCELED
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void"]


def test_a_charge_that_was_received_and_never_retried_is_canceled_in_the_end(pay, stripe):
    stripe.control.fault("status", status=429, path=INTENTS)
    assert pay(amount="10").status == Status.RECEIVED
    assert recover().get().status == Status.RECEIVED

    make_older(A_DAY)
    Payment.objects.update(searches=["2020-01-01T00:00:00+00:00"])

    assert recover().get().status == Status.CANCELED


def test_a_price_that_was_received_a_day_ago_gets_no_second_invoice(pay, stripe):
    stripe.control.fault("status", status=429, path="/v1/invoices/*/finalize")
    pay()
    make_older(A_DAY)
    stripe.control.advance_clock(25 * 3600)

    replay = charge(BOT, Charge(), idempotency_key="order-1")

    assert (replay.is_replay, replay.payment.status) == (True, Status.RECEIVED)
    assert len(stripe.objects("invoices")) == 1
    assert recover().get().status == Status.CANCELED
    assert stripe.objects("invoices") == []


def test_a_payment_whose_sender_died_is_recovered_when_its_lease_is_over(pay):
    payment = pay(amount="10")
    with without_triggers():
        Payment.objects.update(status="sent", settled_at=None, payment_intent_id="", lease_until=LONG_AGO)

    settled = recover().get()

    assert (settled.status, settled.payment_intent_id) == (Status.SUCCEEDED, payment.payment_intent_id)
    assert [event.to_status for event in settled.events.all()][-2:] == ["unknown", "succeeded"]


def test_a_payment_that_a_sender_has_leased_is_left_to_it(pay, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")
    Payment.objects.update(lease_until=FAR_AHEAD, next_attempt_at=LONG_AGO)

    assert settle_open() == 0


def test_a_sender_that_resumes_after_its_lease_does_not_overwrite_what_was_settled(pay, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    stale = pay(amount="10")
    settled = recover().get()

    returned = statements.settle(stale, Status.DECLINED, {"error": {"message": "late"}})

    assert returned.status == Payment.objects.get().status == settled.status == Status.SUCCEEDED


def test_recovery_in_many_threads_looks_up_each_payment_once(pay, stripe):
    stripe.control.fault("reset_before", path=INTENTS, count=12)
    for number in range(12):
        pay(f"order-{number}", amount="10")
    make_due()

    counts = at_once(lambda _: settle_open(), range(4))

    assert sum(counts) == 12
    assert set(Payment.objects.values_list("status", flat=True)) == {"succeeded"}
    assert len(stripe.objects("payment_intents")) == 12


def test_a_payment_over_which_stripe_takes_long_delays_no_other(pay, stripe):
    stripe.control.fault("reset_before", path=INTENTS, count=8)
    for number in range(8):
        pay(f"order-{number}", amount="10")
    make_due()
    stripe.control.fault("latency", method="POST", path=INTENTS, seconds=2)

    with ThreadPoolExecutor(1) as threads:
        settling = threads.submit(closing_connection(settle_open_together))
        until(lambda: Payment.objects.filter(status="succeeded").count() == 7)
        is_at_the_last_one = not settling.done()

    assert is_at_the_last_one
    assert settling.result() == 8
    assert len(stripe.objects("payment_intents")) == 8


def test_settling_in_threads_gives_back_every_connection(pay, stripe):
    stripe.control.fault("reset_before", path=INTENTS, count=8)
    for number in range(8):
        pay(f"order-{number}", amount="10")
    make_due()
    before = lent_connections()

    settled = [settle_open_together() for _ in range(2)]  # the second time, nothing is left to settle

    assert settled == [8, 0]
    assert lent_connections() == before


def test_a_retry_is_answered_with_the_outcome_that_recovery_found(pay, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")
    recover()

    replay = charge(BOT, Charge(amount="10"), idempotency_key="order-1")

    assert (replay.is_replay, replay.payment.status) == (True, Status.SUCCEEDED)


def test_a_payment_that_stays_open_for_days_needs_a_person_and_the_command_fails(pay, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    stripe.control.fault("status", status=503, path=INTENTS, nth=2, count=None)
    pay(amount="10")
    Payment.objects.update(attempts=100, next_attempt_at=LONG_AGO)

    with pytest.raises(CommandError, match="1 payments need review"):
        call_command("settle_payments", "--once")

    assert Payment.objects.get().status == Status.NEEDS_REVIEW


def test_the_command_looks_up_what_is_due_and_prints_what_is_left(pay, stripe, capsys):
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")
    make_due()

    call_command("settle_payments", "--once")

    assert "Looked up 1; still open: 0" in capsys.readouterr().out


def lent_connections() -> int:
    """Return how many connections Django's pool has given out."""
    state = connection.pool.get_stats()
    return state["pool_size"] - state["pool_available"]
