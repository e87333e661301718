"""What a customer owes or has as credit, and what that does to the next invoice."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import finalized, open_session, pay, subscribe


@pytest.fixture
def payer(merchant):
    return merchant.payer()


def adjust(merchant, payer, amount, currency="usd"):
    params = {"amount": amount, "currency": currency}
    return merchant.v1.customers.balance_transactions.create(payer.customer, params)


def transactions(merchant, payer):
    found = merchant.v1.customers.balance_transactions.list(payer.customer).data
    return [(each.type, each.amount, each.ending_balance) for each in found]


def balance(merchant, payer):
    return merchant.v1.customers.retrieve(payer.customer).balance


def test_what_is_owed_is_added_to_the_next_invoice(merchant, payer):
    adjust(merchant, payer, 700)

    invoice = finalized(merchant, payer, merchant.price(1250))
    paid = pay(merchant, invoice, payer)

    assert (invoice.total, invoice.starting_balance, invoice.ending_balance) == (1250, 700, 0)
    assert (invoice.amount_due, paid.amount_paid) == (1950, 1950)
    assert balance(merchant, payer) == 0
    assert transactions(merchant, payer) == [("applied_to_invoice", -700, 0), ("adjustment", 700, 700)]


def test_credit_is_taken_off_the_next_invoice(merchant, payer):
    adjust(merchant, payer, -700)

    invoice = finalized(merchant, payer, merchant.price(1250))

    assert (invoice.total, invoice.starting_balance, invoice.amount_due) == (1250, -700, 550)
    assert merchant.v1.payment_intents.list().data[0].amount == 550
    assert transactions(merchant, payer)[0] == ("applied_to_invoice", 700, 0)


def test_an_invoice_that_credit_covers_is_paid_with_nothing_collected(merchant, payer):
    adjust(merchant, payer, -2000)

    invoice = finalized(merchant, payer, merchant.price(1250))

    assert (invoice.status, invoice.amount_due, invoice.amount_paid, invoice.ending_balance) == ("paid", 0, 0, -750)
    assert balance(merchant, payer) == -750
    assert merchant.v1.payment_intents.list().data == []


def test_what_credit_leaves_below_the_smallest_charge_is_owed_from_then_on(merchant, payer):
    adjust(merchant, payer, -1220)

    invoice = finalized(merchant, payer, merchant.price(1250))

    assert (invoice.status, invoice.amount_due, invoice.ending_balance) == ("paid", 0, 30)
    booked = [("invoice_too_small", 30, 30), ("applied_to_invoice", 1220, 0), ("adjustment", -1220, -1220)]
    assert transactions(merchant, payer) == booked


def test_a_negative_invoice_becomes_credit(merchant, payer):
    invoice = merchant.v1.invoices.create({"customer": payer.customer, "currency": "usd", "auto_advance": False})
    item = {"customer": payer.customer, "invoice": invoice.id, "amount": -900, "currency": "usd"}
    merchant.v1.invoice_items.create(item)

    closed = merchant.v1.invoices.finalize_invoice(invoice.id)

    assert (closed.status, closed.total, closed.amount_due, closed.ending_balance) == ("paid", -900, 0, -900)
    assert balance(merchant, payer) == -900


def test_voiding_an_invoice_gives_its_credit_back(merchant, payer):
    adjust(merchant, payer, -700)
    invoice = finalized(merchant, payer, merchant.price(1250))

    merchant.v1.invoices.void_invoice(invoice.id)

    assert balance(merchant, payer) == -700
    assert transactions(merchant, payer)[0] == ("unapplied_from_invoice", -700, -700)


def test_a_balance_goes_only_into_invoices_of_its_currency(merchant, payer):
    adjust(merchant, payer, 700, "usd")
    adjust(merchant, payer, -300, "eur")

    invoice = finalized(merchant, payer, merchant.price(1250, currency="eur"), currency="eur")

    customer = merchant.v1.customers.retrieve(payer.customer, {"expand": ["invoice_credit_balance"]})
    assert (invoice.starting_balance, invoice.amount_due) == (-300, 950)
    assert (customer.currency, customer.balance) == ("usd", 700)
    assert customer.to_dict()["invoice_credit_balance"] == {"usd": -700, "eur": 0}
    assert "invoice_credit_balance" not in merchant.v1.customers.retrieve(payer.customer)


def test_a_subscriptions_first_invoice_takes_the_balance_in(merchant, payer):
    adjust(merchant, payer, 700)

    subscription = subscribe(merchant, payer, merchant.price(interval="month"), expand=["latest_invoice"])

    assert subscription.latest_invoice.amount_paid == 2700


def test_a_checkout_of_a_subscription_collects_what_the_customer_owes_beside_its_own_total(merchant, payer):
    adjust(merchant, payer, 700)
    price = merchant.price(500, interval="month")
    session = open_session(merchant, price, mode="subscription", customer=payer.customer)

    done = merchant.control.complete_checkout(merchant.account, session.id)

    assert done["amount_total"] == 1500
    assert merchant.v1.invoices.retrieve(done["invoice"]).amount_paid == 2200


def test_a_balance_can_be_set_on_the_customer_itself_and_by_seeding(merchant, payer):
    updated = merchant.v1.customers.update(payer.customer, {"balance": 500})
    seeded = merchant.control.seed_customer(merchant.account, "cus_owing", balance=-40, currency="eur")

    assert (updated.balance, updated.currency) == (500, "usd")
    assert (seeded["balance"], seeded["currency"]) == (-40, "eur")
    assert transactions(merchant, payer) == [("adjustment", 500, 500)]


def test_a_transaction_is_read_at_its_own_customer_alone(merchant, payer):
    entry = adjust(merchant, payer, 700)
    other = merchant.payer()

    assert merchant.v1.customers.balance_transactions.retrieve(payer.customer, entry.id).amount == 700
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        merchant.v1.customers.balance_transactions.retrieve(other.customer, entry.id)


def test_control_calls_the_api_as_somebody_at_the_dashboard_does(merchant, payer):
    params = {"amount": -100, "currency": "usd", "metadata": {"by": "finance"}}

    entry = merchant.control.call(merchant.key, "POST", f"/v1/customers/{payer.customer}/balance_transactions", params)

    assert (entry["ending_balance"], entry["metadata"]) == (-100, {"by": "finance"})
    with pytest.raises(RuntimeError, match="No such customer"):
        merchant.control.call(merchant.key, "GET", "/v1/payment_intents", {"customer": "cus_unknown"})
