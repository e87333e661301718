"""The ledger and Stripe's payments, compared both ways."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from routing.payments.ledger.models import Payment
from routing.payments.operations.subscriptions import Subscription, subscribe
from routing.payments.reconciliation import comparison, runs
from routing.payments.reconciliation.matching import Verdict
from routing.payments.reconciliation.models import ReconciliationCursor
from routing.payments.reconciliation.runs import Side, reconcile
from routing.payments.settlement import discrepancies
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status
from tests.payments.conftest import BOT
from tests.payments.ledger import lose, without_triggers
from tests.payments.operations import open_and_pay_session, refund_payment
from tests.payments.reconciliation.bypass import bypass_router
from tests.payments.stripe_account import MONTHLY, use_card, use_monthly_price
from tests.payments.threads import at_once

BYPASS, MISSING, DIFFERENT = Discrepancy.Kind.BYPASS, Discrepancy.Kind.MISSING, Discrepancy.Kind.DIFFERENT


def compare():
    [result] = reconcile(Side.PAYMENTS)
    assert result.problem == ""
    return dict(result.tally)


def still_open() -> list[tuple[str, str]]:
    return list(Discrepancy.objects.filter(cleared_at=None).values_list("kind", "stripe_id"))


def test_every_payment_through_the_router_agrees_whether_it_succeeded_or_failed(pay, stripe):
    pay("amount", amount="10")
    pay("price", quantity=2)
    use_card(stripe, "declined")
    pay("declined amount", amount="10")
    pay("declined price")

    assert compare() == {Verdict.AGREES: 4}
    assert still_open() == []


@pytest.mark.parametrize("is_sold_on_a_page", [False, True])
@pytest.mark.parametrize("side", [Side.PAYMENTS, Side.BALANCE])
def test_the_renewals_of_a_subscription_belong_to_its_payment(bot, stripe, is_sold_on_a_page, side):
    stripe.control.advance_clock(-70 * 86400)
    if is_sold_on_a_page:
        use_monthly_price(stripe)
        open_and_pay_session(stripe, mode="subscription")
    else:
        subscribe_monthly(stripe)
    stripe.control.advance_clock(70 * 86400)

    [result] = reconcile(side, since=timezone.now() - timedelta(days=80))

    assert len(stripe.objects("invoices")) == 3
    assert (result.problem, still_open()) == ("", [])


def test_a_payment_that_was_made_around_the_router_is_a_bypass(pay, stripe):
    pay(amount="10")
    intent = bypass_router(stripe, description="By hand")

    assert compare() == {Verdict.AGREES: 1, Verdict.DIFFERS: 1}
    assert still_open() == [(BYPASS, intent.id)]
    at_stripe = Discrepancy.objects.get().details["stripe"]
    assert (at_stripe["amount"], at_stripe["currency"]) == (4200, "usd")
    assert (at_stripe["status"], at_stripe["description"]) == ("succeeded", "By hand")


def test_an_invoice_that_was_paid_around_the_router_is_a_bypass(pay, stripe):
    pay(amount="10")
    client = stripe.client
    invoice = client.invoices.create({"customer": "cus_finance_default", "auto_advance": False})
    price = {"price": "price_finance_standard"}
    client.invoice_items.create({"customer": "cus_finance_default", "invoice": invoice.id, "pricing": price})
    client.invoices.finalize_invoice(invoice.id)
    client.invoices.pay(invoice.id)

    compare()

    [(kind, stripe_id)] = still_open()
    assert (kind, stripe_id[:3]) == (BYPASS, "pi_")
    assert Discrepancy.objects.get().details["stripe"]["invoice"] == invoice.id


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_a_copied_payment_id_does_not_hide_a_bypass(pay, stripe, fields):
    payment = pay(**fields)
    intent = bypass_router(stripe, metadata={"payment_id": str(payment.id)})

    compare()

    assert still_open() == [(BYPASS, intent.id)]
    assert Discrepancy.objects.get().details["stripe"]["payment_id"] == str(payment.id)


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_a_payment_that_the_ledger_lost_is_found_at_stripe(pay, fields):
    pay("kept", amount="10")
    lost = pay("lost", **fields)
    lose(lost)

    compare()

    assert still_open() == [(BYPASS, lost.payment_intent_id)]
    assert Discrepancy.objects.get().details["stripe"]["payment_id"] == str(lost.id)


def test_a_lost_payment_is_cleared_when_the_ledger_has_it_again_and_reported_when_it_is_lost_again(pay):
    pay("kept", amount="10")
    lost = pay("lost", amount="10")
    lose(lost)
    compare()
    with without_triggers():
        lost.save(force_insert=True)
    compare()

    cleared = Discrepancy.objects.get()
    assert (cleared.cleared_by, str(lost.pk) in cleared.remark) == ("", True)

    lose(lost)
    compare()

    assert still_open() == [(BYPASS, lost.payment_intent_id)]


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_a_changed_amount_is_reported_and_cleared_when_it_is_corrected(pay, fields):
    payment = pay(**fields)
    with without_triggers():
        Payment.objects.update(amount_minor=999)

    compare()

    assert [kind for kind, _ in still_open()] == [DIFFERENT]
    [difference] = discrepancies.differences(Discrepancy.objects.get())
    assert (difference.ledger, difference.stripe) == ("9.99 USD", f"{payment.amount} USD")

    with without_triggers():
        Payment.objects.update(amount_minor=payment.amount_minor)
    compare()

    assert still_open() == []


@pytest.mark.parametrize("column", ["customer_id", "currency"])
@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_another_customer_or_currency_is_reported(pay, fields, column):
    pay(**fields)
    with without_triggers():
        Payment.objects.update(**{column: {"customer_id": "cus_other", "currency": "eur"}[column]})

    compare()

    assert [kind for kind, _ in still_open()] == [DIFFERENT]
    assert column.removesuffix("_id") in discrepancies.what_happened(Discrepancy.objects.get())


def test_another_account_is_reported(pay, stripe):
    pay(amount="10")
    with without_triggers():
        Payment.objects.update(account_id="acct_other")

    compare()

    assert Discrepancy.objects.get().details == {"account": {"ledger": "acct_other", "stripe": stripe.account}}


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_a_payment_that_succeeded_and_has_no_object_at_stripe_is_missing(pay, fields):
    payment = pay(**fields)
    unknown_ids = {"payment_intent_id": "pi_unknown", "invoice_id": "in_unknown" if payment.invoice_id else ""}
    with without_triggers():
        Payment.objects.update(id="11111111-2222-3333-4444-555555555555", **unknown_ids)

    compare()

    assert (MISSING, unknown_ids["invoice_id"] or "pi_unknown") in still_open()


def test_a_payment_whose_object_is_not_in_the_same_window_is_looked_up_and_agrees(pay, stripe):
    payment = pay(amount="10")
    with without_triggers():
        Payment.objects.update(created_at=Now() - timedelta(hours=3), settled_at=Now() - timedelta(hours=3))

    assert set(compare()) == {Verdict.AGREES}
    assert stripe.requests("GET", f"/v1/payment_intents/{payment.payment_intent_id}")
    assert still_open() == []


def test_a_payment_that_stripe_contradicts_is_reported_and_not_changed(pay):
    payment = pay(amount="10")
    with without_triggers():
        Payment.objects.update(status=Status.CANCELED)

    compare()

    assert still_open() == [(Discrepancy.Kind.CONTRADICTED, payment.payment_intent_id)]
    assert Payment.objects.get().status == Status.CANCELED


def test_a_payment_that_succeeded_in_the_ledger_and_is_not_paid_at_stripe_is_contradicted(pay, stripe):
    unpaid = bypass_router(stripe, amount=1000, confirm=False, off_session=None)
    pay(amount="10")
    Payment.objects.update(payment_intent_id=unpaid.id)

    compare()

    assert (Discrepancy.Kind.CONTRADICTED, unpaid.id) in still_open()
    assert unpaid.status == "requires_confirmation"


@pytest.mark.parametrize("fields", [{"amount": "10"}, {}])
def test_an_open_payment_is_settled(pay, stripe, fields):
    stripe.control.fault("reset_after", method="POST", path="/v1/payment_intents")
    stripe.control.fault("reset_after", method="POST", path="/v1/invoices/*/pay")
    assert pay(**fields).status == Status.UNKNOWN

    assert compare() == {Verdict.ADOPTED: 1}
    payment = Payment.objects.get()
    assert (payment.status, payment.payment_intent_id[:3]) == (Status.SUCCEEDED, "pi_")
    assert compare() == {Verdict.AGREES: 1}


def test_a_payment_that_is_being_sent_is_left_to_its_sender(pay):
    pay(amount="10")
    with without_triggers():
        Payment.objects.update(status=Status.SENT, settled_at=None, lease_until=Now() + timedelta(minutes=1))

    assert compare() == {Verdict.WAITS: 1}
    assert Payment.objects.get().status == Status.SENT


def test_an_object_that_was_created_just_now_is_not_a_bypass_yet(pay, stripe, monkeypatch):
    monkeypatch.setattr(comparison, "IN_FLIGHT", timedelta(minutes=5))
    pay(amount="10")
    bypass_router(stripe)

    assert compare() == {Verdict.AGREES: 1, Verdict.WAITS: 1}
    assert still_open() == []


def test_a_bypass_that_a_person_cleared_is_not_reported_again(pay, stripe):
    pay(amount="10")
    bypass_router(stripe)
    compare()

    assert discrepancies.clear(Discrepancy.objects.get(), by="ada", remark="A test payment.")
    compare()

    assert still_open() == []
    assert Discrepancy.objects.get().remark == "A test payment."


def test_an_object_from_before_the_first_payment_is_history(pay, stripe):
    bypass_router(stripe)
    time.sleep(1)  # Stripe's times are whole seconds
    payment = pay(amount="10")

    assert compare() == {Verdict.AGREES: 1, Verdict.HISTORY: 1}
    assert still_open() == []
    assert ReconciliationCursor.objects.get().starts_at == payment.created_at


def test_a_ledger_that_lost_all_payments_does_not_take_them_for_history(pay):
    lost = pay("lost", amount="10")
    lose(lost)
    ReconciliationCursor.objects.create(
        domain="stripe",
        **dict.fromkeys(("starts_at", "payments_until", "balance_until"), timezone.now() + timedelta(minutes=1)),
    )

    compare()

    assert still_open() == [(BYPASS, lost.payment_intent_id)]


def test_the_first_run_of_a_ledger_that_lost_all_payments_looks_back(pay, monkeypatch):
    monkeypatch.setattr(runs, "OVERLAP", timedelta(0))
    lost = pay("lost", amount="10")
    lose(lost)
    time.sleep(1)  # Stripe's times are whole seconds

    compare()

    assert still_open() == [(BYPASS, lost.payment_intent_id)]


def test_runs_at_once_report_once_and_all_finish(pay, stripe):
    pay(amount="10")
    bypass_router(stripe)

    tallies = at_once(lambda _: compare(), range(4))

    assert tallies == [{Verdict.AGREES: 1, Verdict.DIFFERS: 1}] * 4
    assert Discrepancy.objects.count() == ReconciliationCursor.objects.count() == 1


def test_a_long_list_is_read_page_by_page(pay, stripe):
    client = stripe.client.payment_intents
    pay(amount="10")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: client.create({"amount": 100, "currency": "usd"}), range(120)))

    assert compare() == {Verdict.AGREES: 1, Verdict.DIFFERS: 120}


def subscribe_monthly(stripe) -> Payment:
    use_monthly_price(stripe)
    return subscribe(BOT, Subscription(), idempotency_key="subscription").payment


def test_subscriptions_refunds_and_checkouts_of_the_router_agree(pay, stripe):
    charged = pay(amount="10")
    refund_payment(charged, amount="4")
    open_and_pay_session(stripe, amount="3")
    subscribe_monthly(stripe)

    assert compare() == {Verdict.AGREES: 3, Verdict.ADOPTED: 1}  # the payment intent is the subscription's own
    assert compare() == {Verdict.AGREES: 4}
    reconcile(Side.BALANCE)
    assert still_open() == []


def test_a_subscriptions_payments_are_the_routers_only_if_the_subscription_is(bot, stripe):
    subscribe_monthly(stripe)
    stripe.client.subscriptions.create({"customer": "cus_finance_default", "items": [{"price": MONTHLY}]})

    compare()

    [(kind, stripe_id)] = still_open()
    assert (kind, stripe_id[:3]) == (BYPASS, "pi_")


def test_a_declined_subscription_leaves_no_discrepancy(bot, stripe):
    use_card(stripe, "declined")
    assert subscribe_monthly(stripe).status == Status.DECLINED

    compare()

    assert still_open() == []
