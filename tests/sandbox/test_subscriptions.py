"""The life of a subscription before and beside its renewals: unpaid first invoices, changes, and its end."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import subscribe, types

HOUR = 3600


@pytest.fixture
def monthly(merchant):
    return merchant.price(1000, interval="month")


def incomplete(merchant, payer, price):
    return subscribe(merchant, payer, price, payment_behavior="default_incomplete", off_session=False)


def test_default_incomplete_waits_with_an_open_invoice_until_that_is_paid(merchant, monthly):
    payer = merchant.payer()
    subscription = incomplete(merchant, payer, monthly)
    invoice = merchant.v1.invoices.retrieve(subscription.latest_invoice)

    merchant.v1.invoices.pay(invoice.id, {"payment_method": payer.method})

    assert (subscription.status, invoice.status, invoice.amount_due) == ("incomplete", "open", 2000)
    assert merchant.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert types(merchant)[0] == "customer.subscription.updated"


def test_an_incomplete_subscription_expires_after_23_hours_and_its_invoice_is_void(merchant, monthly):
    subscription = incomplete(merchant, merchant.payer(), monthly)
    merchant.control.advance_clock(22 * HOUR)
    before = merchant.v1.subscriptions.retrieve(subscription.id).status
    merchant.control.advance_clock(2 * HOUR)

    after = merchant.v1.subscriptions.retrieve(subscription.id)

    assert (before, after.status) == ("incomplete", "incomplete_expired")
    assert after.ended_at == subscription.created + 23 * HOUR
    assert merchant.v1.invoices.retrieve(subscription.latest_invoice).status == "void"


def test_canceling_an_incomplete_subscription_expires_it(merchant, monthly):
    subscription = incomplete(merchant, merchant.payer(), monthly)

    canceled = merchant.v1.subscriptions.cancel(subscription.id)

    assert canceled.status == "incomplete_expired"
    assert merchant.v1.invoices.retrieve(subscription.latest_invoice).status == "void"
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        merchant.v1.subscriptions.cancel(subscription.id)


def test_without_a_payment_method_only_an_incomplete_subscription_can_be_made(merchant, monthly):
    customer = merchant.v1.customers.create({}).id
    params = {"customer": customer, "items": [{"price": monthly}]}

    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        merchant.v1.subscriptions.create(params)
    made = merchant.v1.subscriptions.create({**params, "payment_behavior": "default_incomplete"})

    assert made.status == "incomplete"
    assert len(merchant.control.objects(merchant.key, "subscriptions", status="all")) == 1


def test_what_waits_for_the_next_invoice_is_on_a_subscriptions_first_one(merchant, monthly):
    payer = merchant.payer()
    merchant.v1.invoice_items.create({"customer": payer.customer, "amount": 333, "currency": "usd"})

    subscription = subscribe(merchant, payer, monthly, expand=["latest_invoice"])

    assert subscription.latest_invoice.amount_paid == 2333


def test_a_subscription_that_is_to_cancel_runs_to_the_end_of_its_period(merchant, monthly):
    subscription = subscribe(merchant, merchant.payer(), monthly)
    end = subscription["items"].data[0].current_period_end

    told = merchant.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    merchant.control.advance_clock(end - merchant.control.state()["now"] + HOUR)

    after = merchant.v1.subscriptions.retrieve(subscription.id)
    assert (told.status, told.cancel_at, told.canceled_at is None) == ("active", end, False)
    assert (after.status, after.ended_at, after.canceled_at) == ("canceled", end, told.canceled_at)
    assert "customer.subscription.deleted" in types(merchant)
    assert len(merchant.control.objects(merchant.key, "invoices")) == 1


def test_a_cancellation_can_be_taken_back_before_it_happens(merchant, monthly):
    subscription = subscribe(merchant, merchant.payer(), monthly)
    merchant.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})

    kept = merchant.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})

    assert (kept.cancel_at, kept.cancel_at_period_end, kept.canceled_at) == (None, False, None)


def test_canceling_stops_the_collection_of_invoices_and_leaves_them_open(merchant, monthly):
    subscription = subscribe(merchant, merchant.payer("declined_later"), monthly)
    merchant.control.advance_clock(32 * 24 * HOUR)
    [failed] = [each for each in merchant.control.objects(merchant.key, "invoices") if each["status"] == "open"]

    canceled = merchant.v1.subscriptions.cancel(subscription.id, {"cancellation_details": {"comment": "c"}})

    after = merchant.v1.invoices.retrieve(failed["id"])
    assert (canceled.status, canceled.cancellation_details.comment) == ("canceled", "c")
    assert (after.status, after.auto_advance, after.next_payment_attempt) == ("open", False, None)
    with pytest.raises(stripe.InvalidRequestError, match="canceled subscription can only update"):
        merchant.v1.subscriptions.update(subscription.id, {"description": "x"})


def test_a_change_of_quantity_is_billed_from_the_next_period_on(merchant, monthly):
    subscription = subscribe(merchant, merchant.payer(), monthly)
    items = [{"id": subscription["items"].data[0].id, "quantity": 5}]

    with pytest.raises(stripe.InvalidRequestError, match="makes no prorations"):
        merchant.v1.subscriptions.update(subscription.id, {"items": items})
    merchant.v1.subscriptions.update(subscription.id, {"items": items, "proration_behavior": "none"})
    merchant.control.advance_clock(32 * 24 * HOUR)

    amounts = [each["amount_paid"] for each in merchant.control.objects(merchant.key, "invoices")]
    assert amounts == [5000, 2000]
