"""Tax rates on invoices, subscriptions and pages."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import coupon, invoiced, open_session, rate, subscribe


@pytest.fixture
def payer(merchant):
    return merchant.payer()


def test_an_exclusive_tax_is_added_to_the_total(merchant, payer):
    vat = rate(merchant, 19)

    invoice = invoiced(merchant, payer, merchant.price(1250), default_tax_rates=[vat])

    tax = invoice.total_taxes[0]
    assert (invoice.subtotal, invoice.total, invoice.amount_due, invoice.total_excluding_tax) == (
        1250,
        1488,
        1488,
        1250,
    )
    assert (tax.amount, tax.tax_behavior, tax.taxable_amount) == (238, "exclusive", 1250)
    assert tax.tax_rate_details.tax_rate == vat
    assert invoice.lines.data[0].taxes[0].amount == 238
    assert invoice.default_tax_rates[0].percentage == 19


def test_an_inclusive_tax_is_in_the_total_already(merchant, payer):
    invoice = invoiced(merchant, payer, merchant.price(1190), default_tax_rates=[rate(merchant, 19, inclusive=True)])

    assert (invoice.total, invoice.total_excluding_tax, invoice.subtotal_excluding_tax) == (1190, 1000, 1000)
    assert (invoice.total_taxes[0].amount, invoice.total_taxes[0].tax_behavior) == (190, "inclusive")


def test_tax_is_on_what_the_discount_leaves(merchant, payer):
    taken = [{"coupon": coupon(merchant, percent_off=50)}]

    invoice = invoiced(merchant, payer, merchant.price(1000), default_tax_rates=[rate(merchant)], discounts=taken)

    assert (invoice.total, invoice.total_taxes[0].amount) == (550, 50)


def test_an_items_own_rates_stand_in_place_of_the_invoices(merchant, payer):
    params = {"customer": payer.customer, "currency": "usd", "auto_advance": False}
    invoice = merchant.v1.invoices.create({**params, "default_tax_rates": [rate(merchant, 10)]})
    item = {"customer": payer.customer, "invoice": invoice.id, "amount": 1000, "currency": "usd"}
    merchant.v1.invoice_items.create({**item, "tax_rates": [rate(merchant, 5), rate(merchant, 2.5)]})
    merchant.v1.invoice_items.create(item)

    found = merchant.v1.invoices.retrieve(invoice.id)

    assert found.total == 2000 + 50 + 25 + 100
    assert sorted(each.amount for each in found.total_taxes) == [25, 50, 100]


@pytest.mark.parametrize(("exempt", "reason"), [("exempt", "customer_exempt"), ("reverse", "reverse_charge")])
def test_a_customer_who_is_exempt_pays_no_tax(merchant, payer, exempt, reason):
    merchant.v1.customers.update(payer.customer, {"tax_exempt": exempt})

    invoice = invoiced(merchant, payer, merchant.price(1000), default_tax_rates=[rate(merchant)])

    assert (invoice.total, invoice.total_taxes[0].amount) == (1000, 0)
    assert invoice.total_taxes[0].taxability_reason == reason


def test_a_subscription_taxes_each_of_its_invoices(merchant, payer):
    price = merchant.price(interval="week")

    subscription = subscribe(merchant, payer, price, default_tax_rates=[rate(merchant)], expand=["latest_invoice"])
    merchant.control.advance_clock(8 * 24 * 3600)

    assert subscription.latest_invoice.amount_paid == 2200
    assert merchant.v1.invoices.list().data[0].amount_paid == 2200
    merchant.v1.subscriptions.update(subscription.id, {"default_tax_rates": ""})
    assert merchant.v1.subscriptions.retrieve(subscription.id).default_tax_rates == []


def test_a_checkout_says_and_collects_the_tax_of_its_lines(merchant):
    line = {"price": merchant.price(500), "quantity": 3, "tax_rates": [rate(merchant, 8.875)]}
    session = open_session(merchant, line["price"], line_items=[line])

    done = merchant.control.complete_checkout(merchant.account, session.id)

    assert (session.amount_subtotal, session.total_details.amount_tax, session.amount_total) == (1500, 133, 1633)
    assert merchant.v1.payment_intents.retrieve(done["payment_intent"]).amount_received == 1633


def test_a_subscription_from_a_checkout_is_taxed_as_its_page_said(merchant, payer):
    price = merchant.price(500, interval="month")
    more = {"mode": "subscription", "customer": payer.customer}
    session = open_session(merchant, price, **more, subscription_data={"default_tax_rates": [rate(merchant)]})

    done = merchant.control.complete_checkout(merchant.account, session.id)

    assert session.amount_total == 1650
    assert merchant.v1.invoices.retrieve(done["invoice"]).amount_paid == 1650


def test_automatic_tax_can_only_be_off(merchant, payer):
    invoiced(merchant, payer, merchant.price(), automatic_tax={"enabled": False})

    with pytest.raises(stripe.InvalidRequestError, match="no Stripe Tax"):
        invoiced(merchant, payer, merchant.price(), automatic_tax={"enabled": True})


def test_a_rate_that_is_inactive_cannot_be_used_any_more(merchant, payer):
    old = rate(merchant)
    merchant.v1.tax_rates.update(old, {"active": False})

    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        invoiced(merchant, payer, merchant.price(), default_tax_rates=[old])
    assert merchant.v1.tax_rates.list({"active": True}).data == []
