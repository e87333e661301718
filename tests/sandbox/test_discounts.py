"""Coupons, promotion codes, and the discounts that they become on customers, subscriptions, invoices and pages."""

from __future__ import annotations

from typing import Any

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import coupon, finalized, invoiced, open_session, subscribe


@pytest.fixture
def payer(merchant):
    return merchant.payer()


def code(merchant, coupon_id, **more: Any):
    return merchant.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon_id}, **more})


def test_a_percentage_is_taken_off_an_invoice_and_said_in_all_three_places(merchant, payer):
    invoice = invoiced(merchant, payer, merchant.price(1250), discounts=[{"coupon": coupon(merchant, percent_off=10)}])

    discount = invoice.discounts[0]
    assert (invoice.subtotal, invoice.total, invoice.amount_due) == (1250, 1125, 1125)
    assert [(each.amount, each.discount) for each in invoice.total_discount_amounts] == [(125, discount)]
    assert [(each.amount, each.discount) for each in invoice.lines.data[0].discount_amounts] == [(125, discount)]
    expanded = merchant.v1.invoices.retrieve(invoice.id, {"expand": ["discounts.source.coupon"]})
    assert expanded.discounts[0].source.coupon.times_redeemed == 1


def test_an_amount_is_taken_off_once_however_many_lines_there_are_and_never_below_nothing(merchant, payer):
    params = {"customer": payer.customer, "currency": "usd", "auto_advance": False}
    taken = [{"coupon": coupon(merchant, amount_off=1000, currency="usd")}]
    invoice = merchant.v1.invoices.create({**params, "discounts": taken})
    for amount in (100, 200, 3000):
        item = {"customer": payer.customer, "invoice": invoice.id, "amount": amount, "currency": "usd"}
        merchant.v1.invoice_items.create(item)

    shared = merchant.v1.invoices.retrieve(invoice.id)
    small = invoiced(merchant, payer, merchant.price(700), discounts=taken)

    assert (shared.subtotal, shared.total) == (3300, 2300)
    assert sum(line.discount_amounts[0].amount for line in shared.lines.data) == 1000
    assert (small.total, small.status) == (0, "paid")


def test_a_customers_discount_goes_into_each_invoice_that_names_none(merchant, payer):
    merchant.control.discount_customer(
        merchant.account, payer.customer, coupon(merchant, percent_off=50, duration="forever")
    )
    price = merchant.price(1000)

    inherited = [invoiced(merchant, payer, price).amount_due for _ in range(2)]
    none = invoiced(merchant, payer, price, discounts="")

    assert (inherited, none.amount_due) == ([500, 500], 1000)
    assert merchant.v1.customers.retrieve(payer.customer).discount.source.type == "coupon"


def test_a_discount_that_holds_once_is_gone_after_one_invoice(merchant, payer):
    merchant.control.discount_customer(merchant.account, payer.customer, coupon(merchant, percent_off=50))
    price = merchant.price(1000)

    dues = [invoiced(merchant, payer, price).amount_due for _ in range(2)]

    assert dues == [500, 1000]
    assert merchant.v1.customers.retrieve(payer.customer).discount is None
    assert "customer.discount.deleted" in [each["type"] for each in merchant.control.objects(merchant.key, "events")]


def test_a_customers_discount_of_an_amount_is_ignored_in_another_currency(merchant, payer):
    off = coupon(merchant, amount_off=300, currency="usd", duration="forever")
    merchant.control.discount_customer(merchant.account, payer.customer, off)

    in_euros = finalized(merchant, payer, merchant.price(1000, currency="eur"), currency="eur")

    assert (in_euros.discounts, in_euros.amount_due) == ([], 1000)
    with pytest.raises(stripe.InvalidRequestError, match="takes off no amount in eur"):
        invoiced(merchant, payer, merchant.price(), currency="eur", discounts=[{"coupon": off}])


def test_a_coupon_takes_off_its_own_amount_in_each_of_its_currencies(merchant, payer):
    off = coupon(merchant, amount_off=300, currency="usd", currency_options={"eur": {"amount_off": 250}})

    invoice = invoiced(
        merchant, payer, merchant.price(1000, currency="eur"), currency="eur", discounts=[{"coupon": off}]
    )

    assert invoice.total == 750


@pytest.mark.parametrize(("duration", "left"), [("once", 0), ("forever", 1)])
def test_a_subscriptions_discount_lowers_its_first_invoice(merchant, payer, duration, left):
    taken = [{"coupon": coupon(merchant, percent_off=25, duration=duration)}]

    subscription = subscribe(
        merchant, payer, merchant.price(interval="month"), discounts=taken, expand=["latest_invoice"]
    )

    assert subscription.latest_invoice.amount_paid == 1500
    assert len(merchant.v1.subscriptions.retrieve(subscription.id).discounts) == left


def test_a_subscriptions_own_discount_stands_in_place_of_its_customers(merchant, payer):
    forever = {"duration": "forever"}
    merchant.control.discount_customer(merchant.account, payer.customer, coupon(merchant, percent_off=50, **forever))
    price = merchant.price(interval="month")

    own = subscribe(
        merchant, payer, price, discounts=[{"coupon": coupon(merchant, percent_off=10)}], expand=["latest_invoice"]
    )
    inherited = subscribe(merchant, payer, price, expand=["latest_invoice"])

    assert (own.latest_invoice.amount_paid, inherited.latest_invoice.amount_paid) == (1800, 1000)


def test_discounts_of_customers_and_subscriptions_can_be_deleted(merchant, payer):
    forever = coupon(merchant, percent_off=10, duration="forever")
    merchant.control.discount_customer(merchant.account, payer.customer, forever)
    price = merchant.price(interval="month")
    subscription = subscribe(merchant, payer, price, discounts=[{"coupon": forever}])

    merchant.v1.customers.delete_discount(payer.customer)
    merchant.v1.subscriptions.delete_discount(subscription.id)

    assert merchant.v1.customers.retrieve(payer.customer).discount is None
    assert merchant.v1.subscriptions.retrieve(subscription.id).discounts == []


def test_a_promotion_code_stands_for_its_coupon_and_can_be_one_customers_alone(merchant, payer):
    found = code(merchant, coupon(merchant, percent_off=20), code="SPRING", customer=payer.customer)
    taken = [{"promotion_code": found.id}]

    invoice = invoiced(merchant, payer, merchant.price(1000), discounts=taken)

    assert invoice.total == 800
    assert merchant.v1.promotion_codes.list({"code": "SPRING"}).data[0].times_redeemed == 1
    with pytest.raises(stripe.InvalidRequestError, match="by this customer"):
        invoiced(merchant, merchant.payer(), merchant.price(), discounts=taken)


def test_a_coupon_that_is_used_up_over_or_deleted_can_be_redeemed_no_more(merchant, payer):
    used_up = coupon(merchant, percent_off=10, max_redemptions=1)
    over = coupon(merchant, percent_off=10, redeem_by=merchant.control.state()["now"] + 60)
    deleted = coupon(merchant, percent_off=10, id=f"OLD-{payer.customer}")
    invoiced(merchant, payer, merchant.price(), discounts=[{"coupon": used_up}])
    merchant.control.advance_clock(61)
    merchant.v1.coupons.delete(deleted)

    for each, why in ((used_up, "expired"), (over, "expired"), (deleted, "No such coupon")):
        with pytest.raises(stripe.InvalidRequestError, match=why):
            invoiced(merchant, payer, merchant.price(), discounts=[{"coupon": each}])
    assert not merchant.v1.coupons.retrieve(used_up).valid


def test_a_coupon_for_one_product_leaves_the_others_alone(merchant, payer):
    price = merchant.price(1000)
    product = merchant.v1.prices.retrieve(price).product
    taken = [{"coupon": coupon(merchant, percent_off=50, applies_to={"products": [product]})}]

    assert invoiced(merchant, payer, price, discounts=taken).total == 500
    assert invoiced(merchant, payer, merchant.price(1000), discounts=taken).total == 1000


def test_a_checkout_shows_and_collects_what_its_discount_leaves(merchant):
    session = open_session(merchant, merchant.price(500), discounts=[{"coupon": coupon(merchant, percent_off=50)}])

    done = merchant.control.complete_checkout(merchant.account, session.id)

    assert (session.amount_subtotal, session.amount_total, session.total_details.amount_discount) == (1500, 750, 750)
    assert merchant.v1.payment_intents.retrieve(done["payment_intent"]).amount_received == 750
    assert merchant.v1.coupons.list().data[0].times_redeemed == 1


def test_a_code_that_the_customer_types_changes_what_the_page_collects(merchant):
    code(merchant, coupon(merchant, amount_off=400, currency="usd"), code="LESS")
    open_page = open_session(merchant, merchant.price(500), allow_promotion_codes=True)
    closed_page = open_session(merchant, merchant.price(500))

    done = merchant.control.complete_checkout(merchant.account, open_page.id, promotion_code="less")

    assert (open_page.amount_total, done["amount_total"]) == (1500, 1100)
    assert done["discounts"][0]["promotion_code"]
    with pytest.raises(RuntimeError, match="takes no code"):
        merchant.control.complete_checkout(merchant.account, closed_page.id, promotion_code="LESS")


def test_a_subscription_from_a_checkout_has_the_discount_of_the_page_or_of_its_customer(merchant, payer):
    price = merchant.price(500, interval="month")
    mode = {"mode": "subscription", "customer": payer.customer}
    merchant.control.discount_customer(
        merchant.account, payer.customer, coupon(merchant, percent_off=10, duration="forever")
    )

    shown = open_session(merchant, price, **mode, discounts=[{"coupon": coupon(merchant, percent_off=50)}])
    inherited = open_session(merchant, price, **mode)

    assert (shown.amount_total, inherited.amount_total) == (750, 1350)
    for session in (shown, inherited):
        done = merchant.control.complete_checkout(merchant.account, session.id)
        assert merchant.v1.invoices.retrieve(done["invoice"]).amount_paid == session.amount_total


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"percent_off": 10, "amount_off": 10}, "percent_off"),
        ({"amount_off": 10}, "currency"),
        ({"percent_off": 10, "duration": "repeating"}, "duration_in_months"),
    ],
)
def test_a_coupon_that_stripe_would_refuse_is_refused(merchant, params, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.coupons.create(params)

    assert caught.value.param == param
