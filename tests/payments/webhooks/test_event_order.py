"""Events in any order, any number of times, early, late or never: the ledger ends the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.settlement.models import Discrepancy
from routing.payments.settlement.recovery import settle_open
from routing.payments.states import Status
from routing.payments.webhooks import backfill
from routing.payments.webhooks.applying import apply_due
from routing.payments.webhooks.models import WebhookEvent
from tests.payments.conftest import BOT
from tests.payments.ledger import FAR_AHEAD, LONG_AGO
from tests.payments.operations import open_and_pay_session
from tests.payments.stripe_account import settle_at_bank, use_card, use_monthly_price
from tests.payments.threads import closing_connection, until
from tests.payments.webhooks.conftest import apply_now, findings, new_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Stripe
    from tests.payments.conftest import Pay
    from tests.payments.webhooks.conftest import Webhooks

INTENTS, PAY, VOID = "/v1/payment_intents", "/v1/invoices/*/pay", "/v1/invoices/*/void"


# What a payment goes through at Stripe, and how it has to end in the ledger


def charge_succeeds(pay: Pay, stripe: Stripe) -> None:
    pay(amount="10")


def charge_is_declined(pay: Pay, stripe: Stripe) -> None:
    use_card(stripe, "insufficient_funds")
    pay(amount="10")


def charge_succeeds_later(pay: Pay, stripe: Stripe) -> None:
    use_card(stripe, "settles_later")
    pay(amount="10")
    settle_at_bank(stripe, "succeeded")


def charge_fails_later(pay: Pay, stripe: Stripe) -> None:
    use_card(stripe, "settles_later")
    pay(amount="10")
    settle_at_bank(stripe, "failed")


def charge_succeeds_with_lost_response(pay: Pay, stripe: Stripe) -> None:
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")


def charge_is_declined_with_lost_response(pay: Pay, stripe: Stripe) -> None:
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    charge_is_declined(pay, stripe)


def invoice_is_paid(pay: Pay, stripe: Stripe) -> None:
    pay()


def invoice_is_paid_with_lost_response(pay: Pay, stripe: Stripe) -> None:
    stripe.control.fault("reset_after", method="POST", path=PAY)
    pay()


def invoice_is_paid_later(pay: Pay, stripe: Stripe) -> None:
    use_card(stripe, "settles_later")
    pay()
    settle_at_bank(stripe, "succeeded")


def invoice_is_declined(pay: Pay, stripe: Stripe) -> None:
    use_card(stripe, "insufficient_funds")
    pay()


def charge_is_refunded_at_stripe(pay: Pay, stripe: Stripe) -> None:
    stripe.client.refunds.create({"payment_intent": pay(amount="10").payment_intent_id})


def checkout_session_is_paid(pay: Pay, stripe: Stripe) -> None:
    open_and_pay_session(stripe, amount="10")


def subscription_starts_with_lost_response(pay: Pay, stripe: Stripe) -> None:
    use_monthly_price(stripe)
    stripe.control.fault("reset_after", method="POST", path="/v1/invoices/*/pay")
    subscribe(BOT, Subscription(), idempotency_key="order-1")


OUTCOMES = {
    charge_succeeds: (Status.SUCCEEDED, None),
    charge_is_declined: (Status.DECLINED, "insufficient_funds"),
    charge_succeeds_later: (Status.SUCCEEDED, None),
    charge_fails_later: (Status.DECLINED, "generic_decline"),
    charge_succeeds_with_lost_response: (Status.SUCCEEDED, None),
    charge_is_declined_with_lost_response: (Status.DECLINED, "insufficient_funds"),
    invoice_is_paid: (Status.SUCCEEDED, None),
    invoice_is_paid_with_lost_response: (Status.SUCCEEDED, None),
    invoice_is_paid_later: (Status.SUCCEEDED, None),
    invoice_is_declined: (Status.DECLINED, "insufficient_funds"),
    charge_is_refunded_at_stripe: (Status.SUCCEEDED, None),
    checkout_session_is_paid: (Status.SUCCEEDED, None),
    subscription_starts_with_lost_response: (Status.SUCCEEDED, None),
}


# How the events reach the router


def one_by_one(webhooks: Webhooks, act: Callable[[], None]) -> None:
    """Apply each event as soon as it is received, while the next ones happen."""
    with ThreadPoolExecutor(1) as threads:
        acting = threads.submit(closing_connection(act))
        while not acting.done():
            apply_now()
    acting.result()
    webhooks.apply_all()


def in_triplicate(webhooks: Webhooks, act: Callable[[], None]) -> None:
    webhooks.stripe.control.set_webhooks(copies=3)
    act()
    webhooks.apply_all()
    webhooks.apply_all()


def newest_first(webhooks: Webhooks, act: Callable[[], None]) -> None:
    """Receive all events in the wrong order, and apply them in that."""
    act()
    webhooks.receive_all()
    WebhookEvent.objects.all().delete()
    webhooks.stripe.control.redeliver(webhooks.stripe.account, newest_first=True)
    webhooks.apply_all()


def backfilled(webhooks: Webhooks, act: Callable[[], None]) -> None:
    """Receive no event before all of them are backfilled and applied; those that come then change nothing."""
    webhooks.stripe.control.set_webhooks(paused=True)
    act()
    backfill.backfill()
    apply_due()
    settled = Payment.objects.values().get()
    webhooks.stripe.control.set_webhooks()
    webhooks.apply_all()
    assert Payment.objects.values().get() == settled
    assert "backfill" in WebhookEvent.objects.values_list("source", flat=True)


@pytest.mark.parametrize("deliver", [one_by_one, in_triplicate, newest_first, backfilled])
@pytest.mark.parametrize("act", OUTCOMES)
def test_the_ledger_ends_the_same_however_events_are_delivered(pay, live_webhooks, act, deliver):
    deliver(live_webhooks, partial(act, pay, live_webhooks.stripe))

    payment = Payment.objects.get()
    status, decline_code = OUTCOMES[act]
    assert (payment.status, (payment.error or {}).get("decline_code")) == (status, decline_code)
    assert payment.settled_at is not None
    assert (payment.next_attempt_at, payment.lease_until) == (None, None)
    assert payment.payment_intent_id in {"", live_webhooks.stripe.objects("payment_intents")[0]["id"]}
    assert payment.payment_intent_id or payment.kind == Kind.SUBSCRIPTION
    assert [event.to_status for event in payment.events.all()].count(status) == 1
    assert not Discrepancy.objects.exists()
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


def test_an_invoice_that_fails_later_is_recovered_at_once_and_declined(pay, live_webhooks):
    use_card(live_webhooks.stripe, "settles_later")
    pay()
    Payment.objects.update(next_attempt_at=FAR_AHEAD)
    settle_at_bank(live_webhooks.stripe, "failed")

    live_webhooks.apply_all()
    after_events = Payment.objects.get().status
    settle_open()

    assert (after_events, Payment.objects.get().status) == (Status.UNKNOWN, Status.DECLINED)
    assert [invoice["status"] for invoice in live_webhooks.stripe.objects("invoices")] == ["void"]
    live_webhooks.apply_all()
    assert not Discrepancy.objects.exists()


def test_a_checkout_session_whose_payment_fails_later_is_recovered_at_once_and_declined(live_webhooks):
    open_and_pay_session(live_webhooks.stripe, card="settles_later", amount="10")
    Payment.objects.update(next_attempt_at=FAR_AHEAD)
    settle_at_bank(live_webhooks.stripe, "failed")

    live_webhooks.apply_all()
    settle_open()

    assert Payment.objects.get().status == Status.DECLINED
    assert not Discrepancy.objects.exists()


@pytest.mark.parametrize("state", ["leased", "settled"])
def test_an_event_expedites_no_recovery_of_a_payment_that_is_leased_or_settled(pay, live_webhooks, state):
    use_card(live_webhooks.stripe, "settles_later")
    pay()
    Payment.objects.update(next_attempt_at=FAR_AHEAD)
    if state == "leased":
        Payment.objects.update(lease_until=FAR_AHEAD)
    else:
        Payment.objects.update(status=Status.SUCCEEDED, settled_at=LONG_AGO, next_attempt_at=None)

    live_webhooks.apply_all()

    assert settle_open() == 0


def test_a_void_invoice_leaves_open_whether_its_payment_was_declined_or_canceled(pay, live_webhooks):
    use_card(live_webhooks.stripe, "insufficient_funds")
    live_webhooks.stripe.control.fault("reset_after", path=VOID)
    pay()

    live_webhooks.apply_all()

    assert live_webhooks.stripe.objects("invoices")[0]["status"] == "void"
    assert Payment.objects.get().status == Status.UNKNOWN
    assert "recovery" in findings()["invoice.voided"]


# Events before the response of the API


@pytest.mark.parametrize(("path", "fields"), [(INTENTS, {"amount": "10"}), (PAY, {})])
def test_a_payment_succeeds_by_its_event_before_the_sender_has_the_response(pay, live_webhooks, path, fields):
    live_webhooks.stripe.control.fault("slow_drip", method="POST", path=path, seconds=2)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(closing_connection(pay), **fields)
        live_webhooks.wait_for("invoice.paid" if path == PAY else "payment_intent.succeeded")
        apply_now()
        early = Payment.objects.get()
        assert not sending.done()

    sent = sending.result()

    assert (early.status, sent.status) == (Status.SUCCEEDED, Status.SUCCEEDED)
    assert sent.payment_intent_id == early.payment_intent_id != ""
    assert [event.to_status for event in sent.events.all()] == ["sent", "succeeded"]


@pytest.mark.parametrize(
    ("path", "fields", "event_type"),
    [
        (INTENTS, {"amount": "10"}, "payment_intent.payment_failed"),
        (PAY, {}, "invoice.payment_failed"),
        (VOID, {}, "invoice.voided"),
    ],
)
def test_a_decline_is_left_to_its_sender_while_that_has_the_lease(pay, live_webhooks, path, fields, event_type):
    use_card(live_webhooks.stripe, "insufficient_funds")
    live_webhooks.stripe.control.fault("slow_drip", method="POST", path=path, seconds=2)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(closing_connection(pay), **fields)
        live_webhooks.wait_for(event_type)
        apply_now()
        early = Payment.objects.get()
        assert not sending.done()

    sent = sending.result()
    live_webhooks.apply_all()

    assert (early.status, sent.status) == (Status.SENT, Status.DECLINED)
    assert Payment.objects.get().error == sent.error
    assert sent.error["http_status"] == 402
    assert not Discrepancy.objects.exists()
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


def test_an_intent_whose_first_attempt_is_still_running_is_not_declined(pay, webhooks):
    webhooks.stripe.control.fault("reset_before", method="POST", path=INTENTS)
    payment = pay(amount="10")
    [call] = payment.request["calls"]
    unconfirmed = {
        name: value
        for name, value in call["params"].items()
        if name not in {"confirm", "off_session", "payment_method"}
    }
    intent = webhooks.stripe.client.payment_intents.create(unconfirmed)
    webhooks.send(new_event(data={"object": {"object": "payment_intent", "id": intent.id}}))

    apply_due()

    assert intent.status == "requires_payment_method"
    assert Payment.objects.get().status == Status.UNKNOWN


def test_an_object_that_was_read_before_the_ledger_changed_is_read_again(pay, live_webhooks):
    use_card(live_webhooks.stripe, "settles_later")
    intent = pay(amount="10").payment_intent_id
    live_webhooks.receive_all()
    live_webhooks.stripe.control.fault("slow_drip", method="GET", path=f"{INTENTS}/{intent}", seconds=1)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(closing_connection(apply_due))
        until(lambda: live_webhooks.stripe.requests("GET", f"{INTENTS}/{intent}"))
        settle_at_bank(live_webhooks.stripe, "succeeded")
        live_webhooks.receive_all()
        apply_due()
    slow.result()

    [stale] = WebhookEvent.objects.filter(applied_at=None)
    assert "since the object was read" in stale.last_error
    live_webhooks.apply_all()
    assert Payment.objects.get().status == Status.SUCCEEDED
    assert not Discrepancy.objects.exists()
    assert not WebhookEvent.objects.filter(applied_at=None).exists()
