"""Many workers, what fails, what belongs to no payment, and what does not agree with the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from routing.payments.kinds import Kind
from routing.payments.ledger.models import Payment
from routing.payments.operations.refunds import Refund, refund
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status
from routing.payments.webhooks import applying
from routing.payments.webhooks.applying import DELETED, NOT_A_PAYMENT, apply_due
from routing.payments.webhooks.models import WebhookEvent
from routing.registry.models import Route
from tests.payments.webhooks.conftest import BOT, an_event, findings, make_due, on_own_connection, pay, until, use_card

INTENTS = "/v1/payment_intents"


def test_many_workers_apply_each_event_once(delivering):
    delivering.stripe.control.set_webhooks(copies=3)
    for number in range(8):
        pay(f"order-{number}", amount="10")
    delivering.receive_all()
    make_due()

    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda _: on_own_connection(apply_due), range(4)))

    assert sum(counts) == WebhookEvent.objects.count()
    assert set(WebhookEvent.objects.values_list("attempts", flat=True)) == {1}
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


def test_an_event_that_cannot_be_applied_is_put_off_longer_each_time_and_holds_up_no_other(delivering):
    first, second = pay("order-1", amount="10"), pay("order-2", amount="20")
    delivering.receive_all()
    broken = WebhookEvent.objects.filter(object_id=first.payment_intent_id)
    delivering.stripe.control.fault("status", path=f"{INTENTS}/{first.payment_intent_id}", status=500, count=None)
    pauses = []

    for _ in range(3):
        make_due()
        apply_due()
        event = broken.get(type="payment_intent.succeeded")
        pauses.append(event.next_attempt_at.timestamp())
        assert (event.applied_at, event.finding) == (None, "")
        assert event.last_error.startswith("Stripe did not return /v1/payment_intents/")

    assert pauses == sorted(pauses)
    assert broken.get(type="payment_intent.succeeded").attempts == 3
    assert not WebhookEvent.objects.filter(object_id=second.payment_intent_id, applied_at=None).exists()
    delivering.stripe.control.clear_faults()
    delivering.apply_all()
    assert broken.get(type="payment_intent.succeeded").last_error == ""
    assert not WebhookEvent.objects.filter(applied_at=None).exists()


def test_the_reason_that_is_kept_holds_no_key(hooks):
    hooks.send(an_event())
    [event] = WebhookEvent.objects.all()

    applying._postpone(event, ValueError(f"Invalid key {hooks.stripe.key}"))

    event.refresh_from_db()
    assert event.last_error == "ValueError: Invalid key rk_live_***"


def test_an_event_of_a_domain_that_is_gone_waits_and_says_so(hooks):
    hooks.send(an_event())
    WebhookEvent.objects.update(domain="gone")

    apply_due()

    assert "'gone' is no longer in the registry" in WebhookEvent.objects.get().last_error


def test_an_object_that_belongs_to_no_payment_is_no_error(delivering):
    customer = delivering.at_stripe.customers.create({})
    delivering.at_stripe.payment_intents.create({"amount": 1000, "currency": "usd"})
    draft = delivering.at_stripe.invoices.create({"customer": customer.id})
    delivering.at_stripe.invoices.delete(draft.id)

    delivering.apply_all()

    assert findings() == {
        "customer.created": NOT_A_PAYMENT,
        "payment_intent.created": "no payment in the ledger matches",
        "invoice.created": DELETED,
        "invoice.deleted": DELETED,
    }
    assert not Discrepancy.objects.exists()


def test_what_stripe_says_against_a_settled_payment_is_reported_once_and_changes_nothing(delivering):
    use_card(delivering, "declined")
    declined = pay(amount="10")
    delivering.stripe.control.set_webhooks(copies=3)
    again = {"payment_method": "pm_card_visa", "return_url": "https://example.com"}
    method = delivering.at_stripe.payment_methods.attach("pm_card_visa", {"customer": "cus_another"})
    delivering.at_stripe.payment_intents.confirm(declined.payment_intent_id, {**again, "payment_method": method.id})

    delivering.apply_all()

    [found] = Discrepancy.objects.all()
    assert (found.kind, found.payment, found.stripe_id) == ("contradicted", declined, declined.payment_intent_id)
    assert found.details == {"ledger": "declined", "stripe": "succeeded"}
    assert Payment.objects.get().status == Status.DECLINED


def test_an_object_that_carries_a_payments_id_and_another_amount_is_reported(delivering):
    metadata = {"payment_id": str(pay(amount="10").id)}
    forged = {"amount": 99, "currency": "usd", "customer": "cus_finance_default", "metadata": metadata}
    delivering.at_stripe.payment_intents.create(forged)

    delivering.apply_all()

    assert Discrepancy.objects.get().details == {"amount": {"ledger": 1000, "stripe": 99}}
    assert Payment.objects.get().status == Status.SUCCEEDED


@pytest.mark.parametrize("wanted", [{"amount": "25"}, {}])
def test_a_dispute_is_reported_with_its_reason_and_until_when_to_answer(delivering, wanted):
    payment = pay(**wanted)
    dispute = delivering.stripe.control.dispute_payment(
        delivering.stripe.account, payment.payment_intent_id, reason="product_not_received"
    )

    delivering.apply_all()

    [found] = Discrepancy.objects.all()
    assert (found.kind, found.payment, found.stripe_id) == ("disputed", payment, dispute["id"])
    assert found.details["reason"] == "product_not_received"
    assert (found.details["status"], found.details["amount"]) == ("needs_response", "25.00")
    assert found.details["answer_by"].startswith("20")
    assert Payment.objects.get().status == Status.SUCCEEDED


def test_a_dispute_of_a_subscriptions_payment_is_the_subscriptions(delivering):
    product = {"product": "prod_finance_router", "interval": "month"}
    delivering.stripe.control.seed_price(delivering.stripe.account, "price_monthly", **product)
    Route.objects.update(price_id="price_monthly")
    payment = subscribe(BOT, Subscription(), idempotency_key="order-1").payment
    [intent] = delivering.stripe.objects("payment_intents")
    delivering.stripe.control.dispute_payment(delivering.stripe.account, intent["id"])

    delivering.apply_all()

    assert Discrepancy.objects.get().payment == payment


def test_a_refund_that_the_router_made_is_weighed_itself(delivering):
    delivering.stripe.control.fault("reset_after", method="POST", path="/v1/refunds")
    charged = pay(amount="10")
    refund(BOT, Refund(payment=str(charged.id)), idempotency_key="refund-1")

    delivering.apply_all()

    assert Payment.objects.get(kind=Kind.REFUND).status == Status.SUCCEEDED
    assert not Discrepancy.objects.exists()


def test_what_becomes_of_a_dispute_is_told_and_an_older_reading_does_not_undo_it(delivering):
    control, account = delivering.stripe.control, delivering.stripe.account
    dispute = control.dispute_payment(account, pay(amount="25").payment_intent_id)
    delivering.receive_all()
    control.fault("slow_drip", method="GET", path=f"/v1/disputes/{dispute['id']}", seconds=1)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(on_own_connection, apply_due)
        until(lambda: delivering.stripe.requests("GET", f"/v1/disputes/{dispute['id']}"))
        control.close_dispute(account, dispute["id"], "lost")
        delivering.apply_all()
    slow.result()

    assert Discrepancy.objects.get().details["status"] == "lost"


def test_a_dispute_that_a_person_has_cleared_up_stays_as_it_was(delivering):
    control, account = delivering.stripe.control, delivering.stripe.account
    dispute = control.dispute_payment(account, pay(amount="25").payment_intent_id)
    delivering.apply_all()
    Discrepancy.objects.update(cleared_at="2026-01-01T00:00Z", cleared_by="finance", remark="Refunded by hand.")
    control.close_dispute(account, dispute["id"], "won")

    delivering.apply_all()

    [found] = Discrepancy.objects.all()
    assert (found.details["status"], found.remark) == ("needs_response", "Refunded by hand.")
