"""Prices that are sold in several currencies, and prices whose amount is more than one number times the quantity."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import finalized, open_session, subscribe

OPTIONS = {"eur": 900, "jpy": 1500}


@pytest.fixture
def price(merchant):
    """Make a price of 10.00 USD that is also sold for 9.00 EUR and 1500 JPY."""
    return merchant.price(1000, currency_options=OPTIONS)


@pytest.fixture
def monthly(merchant):
    return merchant.price(1000, currency_options=OPTIONS, interval="month")


def test_a_price_shows_its_default_currency_and_the_others_only_where_they_are_expanded(merchant, price):
    plain = merchant.v1.prices.retrieve(price)
    expanded = merchant.v1.prices.retrieve(price, {"expand": ["currency_options"]})

    assert (plain.currency, plain.unit_amount) == ("usd", 1000)
    assert "currency_options" not in plain
    assert not [name for name in plain.to_dict() if name.startswith("sandbox_")]
    amounts = {currency: found["unit_amount"] for currency, found in expanded.to_dict()["currency_options"].items()}
    assert amounts == {"usd": 1000, "eur": 900, "jpy": 1500}


def test_an_invoice_in_another_currency_of_the_price_comes_to_its_amount_there(merchant, price):
    invoice = finalized(merchant, merchant.payer(), price, quantity=2, currency="jpy")

    assert (invoice.currency, invoice.amount_due) == ("jpy", 3000)
    assert str(invoice.lines.data[0].pricing.unit_amount_decimal) == "1500"


def test_a_currency_that_the_price_does_not_have_is_refused_with_those_that_it_has(merchant, price):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        finalized(merchant, merchant.payer(), price, currency="gbp")

    assert (caught.value.error.type, caught.value.param) == ("invalid_request_error", "pricing[price]")
    assert "`usd`, `eur`, `jpy` which doesn't include the expected currency of `gbp`" in str(caught.value)


def test_an_item_without_an_invoice_is_in_the_customers_currency_where_the_price_has_it(merchant, price):
    payer = merchant.payer()
    merchant.v1.invoices.create({"customer": payer.customer, "currency": "eur", "auto_advance": False})

    item = merchant.v1.invoice_items.create({"customer": payer.customer, "pricing": {"price": price}})

    assert (item.currency, item.amount) == ("eur", 900)


def test_a_subscription_is_in_the_currency_that_it_names(merchant, monthly):
    payer = merchant.payer()

    subscription = subscribe(merchant, payer, monthly, currency="eur", expand=["latest_invoice"])

    assert (subscription.currency, subscription.latest_invoice.amount_paid) == ("eur", 1800)
    assert subscription["items"].data[0].price.currency == "usd"
    assert merchant.v1.customers.retrieve(payer.customer).currency == "eur"


def test_a_subscription_that_names_no_currency_is_in_the_customers(merchant, monthly):
    payer = merchant.payer()
    merchant.v1.invoices.create({"customer": payer.customer, "currency": "jpy", "auto_advance": False})

    assert subscribe(merchant, payer, monthly).currency == "jpy"
    assert subscribe(merchant, merchant.payer(), monthly).currency == "usd"


def test_a_customer_has_subscriptions_in_one_currency_at_a_time(merchant, monthly):
    payer = merchant.payer()
    first = subscribe(merchant, payer, monthly, currency="eur")

    with pytest.raises(stripe.InvalidRequestError, match="cannot combine currencies on a single customer"):
        subscribe(merchant, payer, monthly, currency="usd")
    merchant.v1.subscriptions.cancel(first.id)

    assert subscribe(merchant, payer, monthly, currency="usd").currency == "usd"


def test_a_subscription_in_a_currency_that_the_price_does_not_have_is_refused(merchant, monthly):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscribe(merchant, merchant.payer(), monthly, currency="gbp")

    assert caught.value.param == "items[0][price]"


def test_a_checkout_is_in_the_currency_that_it_names(merchant, price):
    session = open_session(merchant, price, currency="eur")

    done = merchant.control.complete_checkout(merchant.account, session.id)

    intent = merchant.v1.payment_intents.retrieve(done["payment_intent"])
    assert (session.currency, session.amount_total) == ("eur", 2700)
    assert (intent.currency, intent.amount) == ("eur", 2700)
    with pytest.raises(stripe.InvalidRequestError):
        open_session(merchant, price, currency="gbp")
    with pytest.raises(RuntimeError, match="names its currency"):
        merchant.control.complete_checkout(
            merchant.account, open_session(merchant, price, currency="eur").id, currency="jpy"
        )


def test_a_checkout_that_names_no_currency_is_paid_in_that_of_a_customer_from_elsewhere(merchant, price):
    session = open_session(merchant, price)

    done = merchant.control.complete_checkout(merchant.account, session.id, currency="jpy")

    assert (session.currency, session.amount_total) == ("usd", 3000)
    assert (done["currency"], done["amount_total"]) == ("jpy", 4500)
    assert merchant.v1.payment_intents.retrieve(done["payment_intent"]).amount == 4500


def test_currency_options_can_be_added_changed_and_taken_away(merchant, price):
    update = {"currency_options": {"eur": {"unit_amount": 950}, "gbp": {"unit_amount_decimal": "799.5"}}}
    changed = merchant.v1.prices.update(price, {**update, "expand": ["currency_options"]})
    cleared = merchant.v1.prices.update(price, {"currency_options": "", "expand": ["currency_options"]})

    gbp = changed.currency_options["gbp"]
    assert changed.currency_options["eur"].unit_amount == 950
    assert (gbp.unit_amount, str(gbp.unit_amount_decimal)) == (None, "799.5")
    assert list(cleared.to_dict()["currency_options"]) == ["usd"]


def test_a_unit_with_decimals_has_no_whole_amount_and_is_rounded_on_the_line(merchant):
    price = merchant.price(None, unit_amount_decimal="0.5")

    invoice = finalized(merchant, merchant.payer(), price, quantity=333)

    assert merchant.v1.prices.retrieve(price).unit_amount is None
    assert invoice.amount_due == 167


@pytest.mark.parametrize(
    ("mode", "quantity", "amount"),
    [("graduated", 10, 10_000), ("graduated", 12, 10_600), ("volume", 10, 10_000), ("volume", 12, 1100)],
)
def test_tiers_come_to_what_the_quantity_reaches(merchant, mode, quantity, amount):
    tiers = [{"up_to": 10, "unit_amount": 1000}, {"up_to": "inf", "unit_amount": 50, "flat_amount": 500}]
    price = merchant.price(None, billing_scheme="tiered", tiers_mode=mode, tiers=tiers)

    invoice = finalized(merchant, merchant.payer(), price, quantity=quantity)

    shown = merchant.v1.prices.retrieve(price, {"expand": ["tiers"]})
    assert invoice.amount_due == amount
    assert (shown.unit_amount, shown.tiers[0].up_to, shown.tiers[1].up_to) == (None, 10, None)
    assert "tiers" not in merchant.v1.prices.retrieve(price)


@pytest.mark.parametrize(("rounding", "amount"), [("up", 3000), ("down", 2000)])
def test_a_price_of_packages_bills_whole_packages(merchant, rounding, amount):
    price = merchant.price(1000, transform_quantity={"divide_by": 10, "round": rounding})

    assert finalized(merchant, merchant.payer(), price, quantity=25).amount_due == amount


def test_a_metered_price_bills_nothing_at_first_and_takes_no_quantity(merchant):
    price = merchant.price(1000, interval="month", recurring={"usage_type": "metered", "meter": "mtr_1"})
    payer = merchant.payer()
    items = {"customer": payer.customer, "items": [{"price": price}]}

    subscription = merchant.v1.subscriptions.create({**items, "expand": ["latest_invoice"]})

    assert (subscription.status, subscription.latest_invoice.amount_due) == ("active", 0)
    assert "quantity" not in subscription["items"].data[0] or subscription["items"].data[0].quantity is None
    with pytest.raises(stripe.InvalidRequestError, match="metered"):
        subscribe(merchant, payer, price)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"unit_amount": 1, "unit_amount_decimal": "1"}, "unit_amount"),
        ({}, "unit_amount"),
        ({"unit_amount": 1, "currency_options": {"usd": {"unit_amount": 1}}}, "currency_options[usd]"),
        (
            {"unit_amount": 1, "currency_options": {"eur": {"tax_behavior": "exclusive"}}},
            "currency_options[eur][unit_amount]",
        ),
        ({"unit_amount": 1, "currency_options": {"xxx": {"unit_amount": 1}}}, "currency"),
        ({"unit_amount": 1, "recurring": {"interval": "month", "usage_type": "metered"}}, "recurring[meter]"),
        ({"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": [{"up_to": 5, "unit_amount": 1}]}, "tiers"),
        ({"unit_amount": 1, "tiers_mode": "volume"}, "tiers_mode"),
    ],
)
def test_a_price_that_says_two_things_or_none_is_refused(merchant, params, param):
    product = merchant.v1.products.create({"name": "x"}).id

    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.prices.create({"product": product, "currency": "usd", **params})

    assert caught.value.param == param
