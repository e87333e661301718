"""Previews of invoices: what a subscription would come to, without making anything."""

from __future__ import annotations

from typing import Any

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import coupon, rate, subscribe


@pytest.fixture
def payer(merchant):
    return merchant.payer()


@pytest.fixture
def monthly(merchant):
    return merchant.price(1000, interval="month", currency_options={"eur": 900})


def preview(merchant, payer, price, **more: Any):
    details = {"items": [{"price": price, "quantity": 2}], **more.pop("details", {})}
    return merchant.v1.invoices.create_preview({"customer": payer.customer, "subscription_details": details, **more})


def test_a_start_is_previewed_with_everything_that_changes_its_amount(merchant, payer, monthly):
    merchant.v1.customers.update(payer.customer, {"balance": 300})
    taken, taxed = [{"coupon": coupon(merchant, percent_off=50)}], {"default_tax_rates": [rate(merchant)]}

    found = preview(merchant, payer, monthly, discounts=taken, details=taxed)
    made = subscribe(merchant, payer, monthly, discounts=taken, **taxed, expand=["latest_invoice"]).latest_invoice

    same = ("subtotal", "total", "starting_balance", "amount_due", "currency")
    assert (found.subtotal, found.total, found.amount_due) == (2000, 1100, 1400)
    assert [found[name] for name in same] == [made[name] for name in same]
    assert (found.status, found.id.startswith("upcoming_in_")) == ("draft", True)


def test_a_preview_leaves_nothing_behind(merchant, payer, monthly):
    preview(merchant, payer, monthly, currency="eur")

    counts = merchant.control.state()["accounts"][merchant.account]
    assert {kind for kind, count in counts.items() if count} == {"customer", "payment_method", "price", "product"}
    assert merchant.v1.customers.retrieve(payer.customer).currency is None
    assert merchant.v1.invoices.list().data == []


def test_a_preview_is_in_the_currency_that_it_names_and_knows_trials(merchant, payer, monthly):
    in_a_week = merchant.control.state()["now"] + 7 * 24 * 3600

    assert preview(merchant, payer, monthly, currency="eur").amount_due == 1800
    assert preview(merchant, payer, monthly, details={"trial_end": in_a_week}).amount_due == 0
    with pytest.raises(stripe.InvalidRequestError, match="doesn't include the expected currency"):
        preview(merchant, payer, monthly, currency="gbp")


def test_a_renewal_is_previewed_as_it_will_be(merchant, payer, monthly):
    subscription = subscribe(merchant, payer, monthly)
    merchant.v1.invoice_items.create({"customer": payer.customer, "amount": 333, "currency": "usd"})

    found = merchant.v1.invoices.create_preview({"subscription": subscription.id})

    end = subscription["items"].data[0].current_period_end
    assert (found.amount_due, found.lines.data[0].period.start) == (2333, end)
    assert merchant.v1.subscriptions.retrieve(subscription.id).latest_invoice == subscription.latest_invoice


def test_where_nothing_is_to_come_there_is_no_preview(merchant, payer):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.invoices.create_preview({"customer": payer.customer})

    assert (caught.value.http_status, caught.value.code) == (404, "invoice_upcoming_none")


def test_the_secret_that_confirms_an_invoice_comes_where_it_is_expanded(merchant, payer, monthly):
    more = {"payment_behavior": "default_incomplete", "off_session": False}

    subscription = subscribe(merchant, payer, monthly, **more, expand=["latest_invoice.confirmation_secret"])

    secret = subscription.latest_invoice.confirmation_secret
    intent = merchant.v1.payment_intents.list().data[0]
    assert (secret.type, secret.client_secret) == ("payment_intent", intent.client_secret)
    assert "confirmation_secret" not in merchant.v1.invoices.retrieve(subscription.latest_invoice.id)
