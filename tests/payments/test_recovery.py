"""Payments whose outcome is open are settled by evidence, and by nothing else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models import F
from django.utils import timezone

from routing.identifiers import BotId
from routing.payments.ledger import statements
from routing.payments.ledger.models import Payment
from routing.payments.operations.charges import Charge, charge
from routing.payments.settlement.recovery import settle_open, settle_open_together
from routing.payments.states import Status
from routing.registry.models import Route
from tests.payments.reconciliation.dashboard import dashboard
from tests.payments.webhooks.conftest import until

BOT = BotId.parse("finance:finance_router_bot")
A_DAY = timedelta(hours=25)
INTENTS, PAY = "/v1/payment_intents", "/v1/invoices/*/pay"


def pay(key: str = "order-1", **wanted: Any) -> Payment:
    return charge(BOT, Charge(**wanted), idempotency_key=key).payment


def make_older(by: timedelta) -> None:
    """Move every payment back in time, as if it had waited for so long."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        Payment.objects.update(created_at=F("created_at") - by, sent_at=F("sent_at") - by)
        cursor.execute("SET session_replication_role = origin")


def recover() -> Payment:
    """Let recovery look once into what is open, now."""
    Payment.objects.filter(settled_at=None).update(next_attempt_at="2020-01-01T00:00Z")
    settle_open()
    return Payment.objects.get()


@pytest.mark.parametrize("wanted", [{"amount": "10"}, {}])
@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("reset_before", {}),
        ("reset_after", {}),
        ("truncate", {}),
        ("not_json", {}),
        ("status", {"status": 503}),
        ("status", {"status": 500}),
    ],
)
def test_what_was_not_known_is_sent_again_and_charged_once(bot, stripe, fault, how, wanted):
    stripe.control.fault(fault, method="POST", path=PAY, **how)
    stripe.control.fault(fault, method="POST", path=INTENTS, **how)
    unknown = pay(**wanted)

    settled = recover()

    assert (unknown.status, settled.status) == (Status.UNKNOWN, Status.SUCCEEDED)
    paid = [intent for intent in stripe.objects("payment_intents") if intent["status"] == "succeeded"]
    assert [intent["id"] for intent in paid] == [settled.payment_intent_id]


def test_an_error_that_stripe_has_stored_is_looked_up_and_the_charge_found(bot, stripe):
    stripe.control.fault("status", status=500, effect=True, path=INTENTS)
    pay(amount="10")

    settled = recover()

    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id == stripe.objects("payment_intents")[0]["id"]


@pytest.mark.parametrize("lost", ["/v1/invoiceitems/*", "/v1/invoices/*"])
def test_a_price_that_stripe_rejected_is_told_so_once_its_draft_is_gone(bot, stripe, lost):
    stripe.control.fault("status", status=400, stored=True, method="POST", path="/v1/invoices/*/finalize")
    stripe.control.fault("status", status=503, method="DELETE", path=lost)
    told = pay().status

    settled = recover()

    assert (told, settled.status) == (Status.UNKNOWN, Status.REJECTED)
    assert stripe.objects("invoices") == stripe.objects("invoiceitems") == []


def failing_again_and_again(stripe) -> None:
    """Let each further send be answered by an error that does not say that it is stored."""
    body = '{"error": {"type": "api_error"}}'
    stripe.control.fault("another_answer", status=503, path=INTENTS, method="POST", nth=2, count=None, body=body)


def test_a_charge_that_stripe_made_is_found_while_it_fails_over_every_send(bot, stripe):
    stripe.control.fault("status", status=500, effect=True, path=INTENTS)
    failing_again_and_again(stripe)
    pay(amount="10")

    settled = recover()

    assert settled.status == Status.SUCCEEDED
    assert settled.payment_intent_id == stripe.objects("payment_intents")[0]["id"]


def test_an_invoice_that_a_person_voided_while_stripe_fails_over_every_send_is_canceled(bot, stripe):
    stripe.control.fault("status", status=503, path=PAY, count=None)
    pay()
    [invoice] = stripe.objects("invoices")
    dashboard(stripe).v1.invoices.void_invoice(invoice["id"])

    assert recover().status == Status.CANCELED


def test_what_is_not_paid_while_stripe_fails_over_every_send_may_be_paid_yet(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    failing_again_and_again(stripe)
    pay(amount="10")

    waiting = recover()
    stripe.control.clear_faults()

    assert waiting.status == Status.UNKNOWN
    assert recover().status == Status.DECLINED


@pytest.mark.parametrize("status", [401, 409, 429])
def test_a_refusal_that_answers_the_second_send_says_nothing_of_the_first(bot, stripe, status):
    stripe.control.fault("reset_after", path=INTENTS)
    stripe.control.fault("status", status=status, path=INTENTS, nth=2)
    pay(amount="10")

    assert recover().status == Status.UNKNOWN
    assert recover().status == Status.SUCCEEDED
    assert len(stripe.objects("payment_intents")) == 1


def test_a_decline_that_nobody_heard_is_declined(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")

    assert recover().status == Status.DECLINED


def test_a_price_that_was_declined_unheard_leaves_no_invoice_to_pay(bot, stripe):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="declined")
    Route.objects.update(customer_id="cus_poor")
    stripe.control.fault("reset_after", path=PAY)
    pay()

    assert recover().status == Status.DECLINED
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void"]


@pytest.mark.parametrize(
    "fault", [{"kind": "reset_before"}, {"kind": "reset_after"}, {"kind": "status", "status": 500}]
)
def test_a_declined_price_is_told_as_declined_once_its_invoice_is_void(bot, stripe, fault):
    stripe.control.seed_customer(stripe.account, "cus_poor", card="insufficient_funds")
    Route.objects.update(customer_id="cus_poor")
    stripe.control.fault(**fault, path="/v1/invoices/*/void")
    told = pay().status

    settled = recover()

    assert (told, settled.status) == (Status.UNKNOWN, Status.DECLINED)
    assert settled.error["decline_code"] == "insufficient_funds"
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void"]


@pytest.mark.parametrize(("age", "is_sent"), [(timedelta(hours=22, minutes=59), True), (timedelta(hours=23), False)])
def test_what_stripe_may_soon_have_forgotten_is_not_sent_again_by_recovery(bot, stripe, age, is_sent):
    stripe.control.fault("reset_before", path=INTENTS)
    pay(amount="10")
    make_older(age)

    recover()

    assert len(stripe.objects("payment_intents")) == is_sent


@pytest.mark.parametrize(("age", "is_sent"), [(timedelta(hours=22, minutes=59), True), (timedelta(hours=23), False)])
def test_what_stripe_may_soon_have_forgotten_is_not_sent_again_when_a_bot_comes_back(bot, stripe, age, is_sent):
    stripe.control.fault("status", status=429, path=INTENTS)
    pay(amount="10")
    make_older(age)

    pay(amount="10")

    assert len(stripe.objects("payment_intents")) == is_sent


@pytest.mark.parametrize("wanted", [{"amount": "10"}, {}])
def test_after_a_day_nothing_is_sent_again_and_the_charge_is_found_in_the_list(bot, stripe, wanted):
    stripe.control.fault("reset_after", path=PAY)
    stripe.control.fault("reset_after", path=INTENTS)
    pay(**wanted)
    make_older(A_DAY)
    stripe.control.advance_clock(25 * 3600)
    sent = len(stripe.requests("POST"))

    assert recover().status == Status.SUCCEEDED
    assert len(stripe.requests("POST")) == sent


def test_what_was_never_made_is_canceled_only_after_two_searches_an_hour_apart(bot, stripe):
    stripe.control.fault("reset_before", path=INTENTS)
    pay(amount="10")
    make_older(A_DAY)

    first = recover().status
    second = recover()
    Payment.objects.update(searches=["2020-01-01T00:00:00+00:00", *second.searches])
    third = recover()

    assert (first, second.status, third.status) == (Status.UNKNOWN, Status.UNKNOWN, Status.CANCELED)
    assert len(third.searches) == 4
    assert stripe.objects("payment_intents") == []


def test_what_was_sent_again_within_the_last_day_is_not_canceled_however_old_it_is(bot, stripe):
    stripe.control.fault("reset_before", path=INTENTS)
    pay(amount="10")
    make_older(A_DAY)
    sent_at = timezone.now() - timedelta(hours=23)
    Payment.objects.update(sent_at=sent_at, searches=["2020-01-01T00:00:00+00:00", "2020-01-01T02:00:00+00:00"])

    assert recover().status == Status.UNKNOWN


def test_an_invoice_that_was_never_paid_is_voided_after_a_day(bot, stripe):
    stripe.control.fault("reset_before", path=PAY)
    pay()
    make_older(A_DAY)

    assert recover().status == Status.CANCELED
    assert [invoice["status"] for invoice in stripe.objects("invoices")] == ["void"]


def test_a_charge_that_was_put_off_and_never_asked_for_again_is_canceled_in_the_end(bot, stripe):
    stripe.control.fault("status", status=429, path=INTENTS)
    assert pay(amount="10").status == Status.RECEIVED
    assert recover().status == Status.RECEIVED

    make_older(A_DAY)
    Payment.objects.update(searches=["2020-01-01T00:00:00+00:00"])

    assert recover().status == Status.CANCELED


def test_a_price_that_was_put_off_a_day_ago_is_not_begun_anew_beside_its_first_invoice(bot, stripe):
    stripe.control.fault("status", status=429, path="/v1/invoices/*/finalize")
    pay()
    make_older(A_DAY)
    stripe.control.advance_clock(25 * 3600)

    again = charge(BOT, Charge(), idempotency_key="order-1")

    assert (again.is_replay, again.payment.status) == (True, Status.RECEIVED)
    assert len(stripe.objects("invoices")) == 1
    assert recover().status == Status.CANCELED
    assert stripe.objects("invoices") == []


def test_a_payment_of_which_the_answer_was_lost_is_taken_up_when_its_lease_is_over(bot, stripe):
    payment = pay(amount="10")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        Payment.objects.update(status="sent", settled_at=None, payment_intent_id="", lease_until="2020-01-01T00:00Z")
        cursor.execute("SET session_replication_role = origin")

    settled = recover()

    assert (settled.status, settled.payment_intent_id) == (Status.SUCCEEDED, payment.payment_intent_id)
    assert [event.to_status for event in settled.events.all()][-2:] == ["unknown", "succeeded"]


def test_a_payment_that_a_sender_holds_is_left_to_it(bot, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")
    Payment.objects.update(lease_until="2100-01-01T00:00Z", next_attempt_at="2020-01-01T00:00Z")

    assert settle_open() == 0


def test_a_sender_that_wakes_after_its_lease_does_not_write_over_what_was_settled(bot, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    stale = pay(amount="10")
    settled = recover()

    told = statements.settle(stale, Status.DECLINED, {"error": {"message": "late"}})

    assert told.status == Payment.objects.get().status == settled.status == Status.SUCCEEDED


def test_many_recoverers_look_into_each_payment_once(bot, stripe):
    stripe.control.fault("reset_before", path=INTENTS, count=12)
    for number in range(12):
        pay(f"order-{number}", amount="10")
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")
    together = threading.Barrier(4)

    def recoverer() -> int:
        together.wait()
        try:
            return settle_open()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        counts = [future.result() for future in [threads.submit(recoverer) for _ in range(4)]]

    assert sum(counts) == 12
    assert set(Payment.objects.values_list("status", flat=True)) == {"succeeded"}
    assert len(stripe.objects("payment_intents")) == 12


def test_a_payment_over_which_stripe_takes_its_time_holds_up_no_other(bot, stripe):
    stripe.control.fault("reset_before", path=INTENTS, count=8)
    for number in range(8):
        pay(f"order-{number}", amount="10")
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")
    stripe.control.fault("latency", method="POST", path=INTENTS, seconds=2)

    with ThreadPoolExecutor(1) as threads:
        settling = threads.submit(settle_open_together)
        until(lambda: Payment.objects.filter(status="succeeded").count() == 7)
        is_at_the_last_one = not settling.done()

    assert is_at_the_last_one
    assert settling.result() == 8
    assert len(stripe.objects("payment_intents")) == 8


def test_a_bot_that_comes_again_is_told_what_recovery_found(bot, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")
    recover()

    again = charge(BOT, Charge(amount="10"), idempotency_key="order-1")

    assert (again.is_replay, again.payment.status) == (True, Status.SUCCEEDED)


def test_a_payment_that_stays_open_for_days_needs_a_person_and_the_command_fails(bot, stripe):
    stripe.control.fault("reset_after", path=INTENTS)
    stripe.control.fault("status", status=503, path=INTENTS, nth=2, count=None)
    pay(amount="10")
    Payment.objects.update(attempts=100, next_attempt_at="2020-01-01T00:00Z")

    with pytest.raises(CommandError, match="1 payments need review"):
        call_command("settle_payments", "--once")

    assert Payment.objects.get().status == Status.NEEDS_REVIEW


def test_the_command_looks_up_what_is_due_and_says_what_is_left(bot, stripe, capsys):
    stripe.control.fault("reset_after", path=INTENTS)
    pay(amount="10")
    Payment.objects.update(next_attempt_at="2020-01-01T00:00Z")

    call_command("settle_payments", "--once")

    assert "Looked up 1; still open: 0" in capsys.readouterr().out
