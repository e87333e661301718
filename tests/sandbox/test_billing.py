"""Invoices and subscriptions: charging a price instead of an amount."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import finalized, pay, subscribe


def test_a_price_is_invoiced_and_paid(merchant):
    payer = merchant.payer()
    invoice = finalized(merchant, payer, merchant.price(1250), quantity=2)

    paid = pay(merchant, invoice, payer)

    assert (invoice.status, invoice.amount_due) == ("open", 2500)
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 2500, 0)
    payment = paid.payments.data[0].payment
    assert merchant.v1.payment_intents.retrieve(payment.payment_intent).amount_received == 2500
    assert "payments" not in merchant.v1.invoices.retrieve(invoice.id)
    assert merchant.v1.balance.retrieve().pending[0].amount == 2500


@pytest.mark.parametrize("price", [0, 20])
def test_an_invoice_below_the_smallest_charge_is_paid_at_once(merchant, price):
    payer = merchant.payer()

    invoice = finalized(merchant, payer, merchant.price(price))

    assert (invoice.status, invoice.amount_due) == ("paid", 0)
    assert merchant.v1.customers.retrieve(payer.customer).balance == price
    assert merchant.control.objects(merchant.key, "payment_intents") == []


def test_what_a_customer_owes_is_added_to_the_next_invoice_and_owed_again_when_that_is_void(merchant):
    payer = merchant.payer()
    finalized(merchant, payer, merchant.price(20))

    next_one = finalized(merchant, payer, merchant.price(1250))

    assert (next_one.total, next_one.starting_balance, next_one.amount_due) == (1250, 20, 1270)
    assert merchant.v1.customers.retrieve(payer.customer).balance == 0
    merchant.v1.invoices.void_invoice(next_one.id)
    assert merchant.v1.customers.retrieve(payer.customer).balance == 20


@pytest.mark.parametrize("card", ["declined", "3ds"])
def test_a_failed_payment_leaves_the_invoice_open_and_it_can_be_voided(merchant, card):
    payer = merchant.payer(card)
    invoice = finalized(merchant, payer, merchant.price())

    with pytest.raises(stripe.CardError) as caught:
        pay(merchant, invoice, payer)

    failed = merchant.v1.invoices.retrieve(invoice.id)
    voided = merchant.v1.invoices.void_invoice(invoice.id)
    assert (failed.status, failed.attempt_count) == ("open", 1)
    assert voided.status == "void"
    assert merchant.v1.payment_intents.retrieve(caught.value.error.payment_intent.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        pay(merchant, invoice, payer)


def test_an_open_invoice_may_still_be_paid_later(merchant):
    poor, rich = (
        merchant.payer("declined"),
        merchant.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}),
    )
    invoice = finalized(merchant, poor, merchant.price())
    with pytest.raises(stripe.CardError):
        pay(merchant, invoice, poor)

    paid = merchant.v1.invoices.pay(invoice.id, {"payment_method": rich.id})

    assert (paid.status, paid.attempt_count) == ("paid", 2)


def test_an_invoice_is_paid_once(merchant):
    payer = merchant.payer()
    invoice = finalized(merchant, payer, merchant.price())
    pay(merchant, invoice, payer)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        pay(merchant, invoice, payer)

    assert caught.value.code == "invoice_already_paid"


def test_a_price_in_another_currency_than_the_invoice_is_refused(merchant):
    with pytest.raises(stripe.InvalidRequestError, match=r"only supports `eur`.* expected currency: `usd`"):
        finalized(merchant, merchant.payer(), merchant.price(currency="eur"))


@pytest.mark.parametrize("wrong", ["unknown", "recurring", "archived"])
def test_a_price_that_cannot_be_invoiced_is_refused(merchant, wrong):
    price = merchant.price(interval="month" if wrong == "recurring" else None)
    if wrong == "archived":
        merchant.v1.prices.update(price, {"active": False})

    with pytest.raises(stripe.InvalidRequestError) as caught:
        finalized(merchant, merchant.payer(), "price_unknown" if wrong == "unknown" else price)

    assert caught.value.param == "pricing[price]"


def test_the_intent_of_an_invoice_is_found_by_its_payment(merchant):
    payer = merchant.payer()
    invoice = finalized(merchant, payer, merchant.price())
    paid = pay(merchant, invoice, payer)
    intent = paid.payments.data[0].payment.payment_intent

    found = merchant.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": intent}, "expand": ["data.invoice"]}
    )

    assert [each.invoice.metadata["payment_id"] for each in found.data] == ["p"]


def test_the_intent_of_an_invoice_cannot_be_paid_past_it(merchant):
    payer = merchant.payer()
    finalized(merchant, payer, merchant.price())
    intent = merchant.v1.payment_intents.list().data[0]

    with pytest.raises(stripe.InvalidRequestError, match="belongs to the invoice"):
        merchant.v1.payment_intents.confirm(intent.id, {"payment_method": payer.method})


def test_an_invoice_paid_by_a_slow_bank_is_paid_when_the_bank_says_so(merchant):
    payer = merchant.payer("settles_later")
    invoice = finalized(merchant, payer, merchant.price())
    waiting = pay(merchant, invoice, payer)

    merchant.control.settle_payment(merchant.account, waiting.payments.data[0].payment.payment_intent)

    assert waiting.status == "open"
    assert merchant.v1.invoices.retrieve(invoice.id).status == "paid"


def test_a_subscription_pays_its_first_invoice(merchant):
    subscription = subscribe(
        merchant, merchant.payer(), merchant.price(interval="month"), expand=["latest_invoice.payments"]
    )

    assert subscription.status == "active"
    assert subscription.latest_invoice.amount_paid == 2000
    assert subscription.latest_invoice.payments.data[0].status == "paid"
    item = subscription["items"].data[0]
    assert 28 <= (item.current_period_end - item.current_period_start) / 86400 <= 31


def test_a_declined_subscription_is_not_made_but_the_attempt_is_seen(merchant):
    with pytest.raises(stripe.CardError):
        subscribe(merchant, merchant.payer("declined"), merchant.price(interval="month"))

    assert merchant.control.objects(merchant.key, "subscriptions", status="all") == []
    assert merchant.control.objects(merchant.key, "invoices") == []
    assert [each["status"] for each in merchant.control.objects(merchant.key, "charges")] == ["failed"]
    assert [each["status"] for each in merchant.control.objects(merchant.key, "payment_intents")] == ["canceled"]


def test_a_subscription_that_may_be_incomplete_is(merchant):
    subscription = subscribe(
        merchant, merchant.payer("declined"), merchant.price(interval="year"), payment_behavior="allow_incomplete"
    )

    assert subscription.status == "incomplete"
    assert merchant.v1.invoices.retrieve(subscription.latest_invoice).status == "open"


def test_a_one_time_price_cannot_be_subscribed_to(merchant):
    with pytest.raises(stripe.InvalidRequestError, match="type=recurring"):
        subscribe(merchant, merchant.payer(), merchant.price())


def test_a_subscription_is_canceled_once_and_leaves_the_usual_list(merchant):
    subscription = subscribe(merchant, merchant.payer(), merchant.price(interval="week"))

    canceled = merchant.v1.subscriptions.cancel(subscription.id)

    assert canceled.status == "canceled"
    assert merchant.v1.subscriptions.list().data == []
    assert len(merchant.v1.subscriptions.list({"status": "all"}).data) == 1
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        merchant.v1.subscriptions.cancel(subscription.id)


def test_a_draft_is_emptied_and_deleted(merchant):
    payer = merchant.payer()
    invoice = merchant.v1.invoices.create({"customer": payer.customer, "currency": "usd", "auto_advance": False})
    pricing = {"price": merchant.price(1250)}
    item = merchant.v1.invoice_items.create({"customer": payer.customer, "invoice": invoice.id, "pricing": pricing})

    merchant.v1.invoice_items.delete(item.id)
    emptied = merchant.v1.invoices.retrieve(invoice.id)
    deleted = merchant.v1.invoices.delete(invoice.id)

    assert (emptied.amount_due, emptied.lines.data) == (0, [])
    assert deleted.deleted
    assert merchant.v1.invoices.list().data == []


def test_the_items_of_a_deleted_draft_wait_for_the_next_invoice(merchant):
    payer = merchant.payer()
    invoice = merchant.v1.invoices.create({"customer": payer.customer, "currency": "usd", "auto_advance": False})
    pricing = {"price": merchant.price(1250)}
    item = merchant.v1.invoice_items.create({"customer": payer.customer, "invoice": invoice.id, "pricing": pricing})

    merchant.v1.invoices.delete(invoice.id)

    assert merchant.v1.invoice_items.retrieve(item.id).invoice is None


def test_an_invoice_that_is_open_cannot_be_deleted(merchant):
    invoice = finalized(merchant, merchant.payer(), merchant.price())

    with pytest.raises(stripe.InvalidRequestError):
        merchant.v1.invoices.delete(invoice.id)
