"""Events that many workers apply, that fail, that belong to no payment, and that contradict the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status
from routing.payments.webhooks import applying
from routing.payments.webhooks.applying import DELETED, NOT_A_PAYMENT, apply_due
from routing.payments.webhooks.models import WebhookEvent
from tests.payments.conftest import BOT
from tests.payments.operations import refund_payment
from tests.payments.stripe_account import use_card, use_monthly_price
from tests.payments.threads import at_once, closing_connection, until
from tests.payments.webhooks.conftest import apply_now, findings, make_events_due, new_event

INTENTS = "/v1/payment_intents"


def test_many_workers_apply_each_event_once(pay, live_webhooks):
    live_webhooks.stripe.control.set_webhooks(copies=3)
    for number in range(8):
        pay(f"order-{number}", amount="10")
    live_webhooks.receive_all()
    make_events_due()

    counts = at_once(lambda _: apply_due(), range(4))

    assert sum(counts) == WebhookEvent.objects.count()
    assert set(WebhookEvent.objects.values_list("attempts", flat=True)) == {1}
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


def test_an_event_that_cannot_be_applied_is_postponed_longer_each_time_and_delays_no_other(pay, live_webhooks):
    first, second = pay("order-1", amount="10"), pay("order-2", amount="20")
    live_webhooks.receive_all()
    failing = WebhookEvent.objects.filter(object_id=first.payment_intent_id)
    live_webhooks.stripe.control.fault("status", path=f"{INTENTS}/{first.payment_intent_id}", status=500, count=None)
    pauses = []

    for _ in range(3):
        apply_now()
        event = failing.get(type="payment_intent.succeeded")
        pauses.append(event.next_attempt_at.timestamp())
        assert (event.applied_at, event.finding) == (None, "")
        assert event.last_error.startswith("Stripe did not return /v1/payment_intents/")

    assert pauses == sorted(pauses)
    assert failing.get(type="payment_intent.succeeded").attempts == 3
    assert not WebhookEvent.objects.filter(object_id=second.payment_intent_id, applied_at=None).exists()
    live_webhooks.stripe.control.clear_faults()
    live_webhooks.apply_all()
    assert failing.get(type="payment_intent.succeeded").last_error == ""
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


@pytest.mark.parametrize("body", ["<html><body>404 Not Found</body></html>", "{}", '{"error": {"code": "other"}}'])
def test_an_event_whose_object_a_proxy_does_not_find_is_applied_once_stripe_returns_it(pay, live_webhooks, body):
    stripe = live_webhooks.stripe
    stripe.control.fault("reset_after", method="POST", path=INTENTS)
    pay(amount="10")
    stripe.control.fault("another_answer", method="GET", path=f"{INTENTS}/*", status=404, body=body, count=None)
    live_webhooks.apply_all()
    waiting = WebhookEvent.objects.get(type="payment_intent.succeeded")
    status = Payment.objects.get().status

    stripe.control.clear_faults()
    apply_now()

    assert (waiting.applied_at, waiting.finding, status) == (None, "", Status.UNKNOWN)
    assert waiting.last_error.startswith(f"Stripe did not return {INTENTS}/{waiting.object_id}")
    assert not WebhookEvent.objects.filter(applied_at=None).exists()
    assert Payment.objects.get().status == Status.SUCCEEDED


def test_an_event_whose_object_stripe_has_deleted_is_applied_without_effect(webhooks):
    webhooks.send(new_event())

    apply_due()

    assert findings() == {"payment_intent.succeeded": DELETED}


def test_the_stored_error_contains_no_key(webhooks):
    webhooks.send(new_event())
    [event] = WebhookEvent.objects.all()

    applying._postpone(event, ValueError(f"Invalid key {webhooks.stripe.key}"))

    event.refresh_from_db()
    assert event.last_error == "ValueError: Invalid key rk_live_***"


def test_an_event_of_a_deleted_domain_waits_with_the_reason(webhooks):
    webhooks.send(new_event())
    WebhookEvent.objects.update(domain="gone")

    apply_due()

    assert "'gone' is no longer in the registry" in WebhookEvent.objects.get().last_error


def test_an_object_that_belongs_to_no_payment_is_applied_without_error(live_webhooks):
    client = live_webhooks.stripe.client
    customer = client.customers.create({})
    client.payment_intents.create({"amount": 1000, "currency": "usd"})
    draft = client.invoices.create({"customer": customer.id})
    client.invoices.delete(draft.id)

    live_webhooks.apply_all()

    assert findings() == {
        "customer.created": NOT_A_PAYMENT,
        "payment_intent.created": "no payment in the ledger matches",
        "invoice.created": DELETED,
        "invoice.deleted": DELETED,
    }
    assert not Discrepancy.objects.exists()


def test_an_object_that_contradicts_a_settled_payment_is_reported_once_and_changes_nothing(pay, live_webhooks):
    use_card(live_webhooks.stripe, "declined")
    declined = pay(amount="10")
    live_webhooks.stripe.control.set_webhooks(copies=3)
    client = live_webhooks.stripe.client
    method = client.payment_methods.attach("pm_card_visa", {"customer": declined.customer_id})
    confirmation = {"payment_method": method.id, "return_url": "https://example.com"}
    client.payment_intents.confirm(declined.payment_intent_id, confirmation)

    live_webhooks.apply_all()

    [discrepancy] = Discrepancy.objects.all()
    assert (discrepancy.kind, discrepancy.payment) == ("contradicted", declined)
    assert discrepancy.stripe_id == declined.payment_intent_id
    assert discrepancy.details == {"ledger": "declined", "stripe": "succeeded"}
    assert Payment.objects.get().status == Status.DECLINED


def test_an_object_that_names_a_payment_and_has_another_amount_is_reported(pay, live_webhooks):
    metadata = {"payment_id": str(pay(amount="10").id)}
    forged = {"amount": 99, "currency": "usd", "customer": "cus_finance_default", "metadata": metadata}
    live_webhooks.stripe.client.payment_intents.create(forged)

    live_webhooks.apply_all()

    assert Discrepancy.objects.get().details == {"amount": {"ledger": 1000, "stripe": 99}}
    assert Payment.objects.get().status == Status.SUCCEEDED


@pytest.mark.parametrize("fields", [{"amount": "25"}, {}])
def test_a_dispute_is_reported_with_its_reason_and_its_deadline(pay, live_webhooks, fields):
    payment = pay(**fields)
    dispute = live_webhooks.stripe.control.dispute_payment(
        live_webhooks.stripe.account, payment.payment_intent_id, reason="product_not_received"
    )

    live_webhooks.apply_all()

    [discrepancy] = Discrepancy.objects.all()
    assert (discrepancy.kind, discrepancy.payment, discrepancy.stripe_id) == ("disputed", payment, dispute["id"])
    assert discrepancy.details["reason"] == "product_not_received"
    assert (discrepancy.details["status"], discrepancy.details["amount"]) == ("needs_response", "25.00")
    assert discrepancy.details["answer_by"].startswith("20")
    assert Payment.objects.get().status == Status.SUCCEEDED


def test_a_dispute_of_a_subscriptions_payment_belongs_to_the_subscription(live_webhooks):
    use_monthly_price(live_webhooks.stripe)
    payment = subscribe(BOT, Subscription(), idempotency_key="order-1").payment
    [intent] = live_webhooks.stripe.objects("payment_intents")
    live_webhooks.stripe.control.dispute_payment(live_webhooks.stripe.account, intent["id"])

    live_webhooks.apply_all()

    assert Discrepancy.objects.get().payment == payment


def test_the_events_of_a_refund_settle_the_refund(pay, live_webhooks):
    live_webhooks.stripe.control.fault("reset_after", method="POST", path="/v1/refunds")
    charged = pay(amount="10")
    refund_payment(charged)

    live_webhooks.apply_all()

    assert Payment.objects.get(kind=Kind.REFUND).status == Status.SUCCEEDED
    assert not Discrepancy.objects.exists()


def test_a_dispute_that_is_closed_is_updated_and_an_older_read_does_not_undo_it(pay, live_webhooks):
    control, account = live_webhooks.stripe.control, live_webhooks.stripe.account
    dispute = control.dispute_payment(account, pay(amount="25").payment_intent_id)
    live_webhooks.receive_all()
    control.fault("slow_drip", method="GET", path=f"/v1/disputes/{dispute['id']}", seconds=1)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(closing_connection(apply_due))
        until(lambda: live_webhooks.stripe.requests("GET", f"/v1/disputes/{dispute['id']}"))
        control.close_dispute(account, dispute["id"], "lost")
        live_webhooks.apply_all()
    slow.result()

    assert Discrepancy.objects.get().details["status"] == "lost"


def test_a_dispute_that_a_person_has_cleared_stays_as_it_was(pay, live_webhooks):
    control, account = live_webhooks.stripe.control, live_webhooks.stripe.account
    dispute = control.dispute_payment(account, pay(amount="25").payment_intent_id)
    live_webhooks.apply_all()
    Discrepancy.objects.update(cleared_at="2026-01-01T00:00Z", cleared_by="finance", remark="Refunded by hand.")
    control.close_dispute(account, dispute["id"], "won")

    live_webhooks.apply_all()

    [discrepancy] = Discrepancy.objects.all()
    assert (discrepancy.details["status"], discrepancy.remark) == ("needs_response", "Refunded by hand.")
