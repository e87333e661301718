"""Lists, their cursors and filters, and what can be expanded."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)


@pytest.fixture
def customers(merchant):
    """Make seven customers; return their ids, newest first."""
    return [merchant.v1.customers.create({"email": f"{n}@example.com"}).id for n in range(7)][::-1]


def ids(page):
    return [each.id for each in page.data]


def test_pages_run_from_the_newest_to_the_oldest(merchant, customers):
    first = merchant.v1.customers.list({"limit": 3})
    second = merchant.v1.customers.list({"limit": 4, "starting_after": first.data[-1].id})

    assert (ids(first), first.has_more) == (customers[:3], True)
    assert (ids(second), second.has_more) == (customers[3:], False)
    assert first.url == "/v1/customers"


def test_pages_run_backwards_too(merchant, customers):
    page = merchant.v1.customers.list({"limit": 2, "ending_before": customers[4]})
    last = merchant.v1.customers.list({"limit": 2, "ending_before": customers[1]})

    assert (ids(page), page.has_more) == (customers[2:4], True)
    assert (ids(last), last.has_more) == (customers[:1], False)


def test_the_sdks_own_paging_sees_everything_once(merchant, customers):
    found = [each.id for each in merchant.v1.customers.list({"limit": 2}).auto_paging_iter()]

    assert found == customers


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"starting_after": "cus_unknown"}, {"ending_before": "cus_unknown"}]
)
def test_a_cursor_or_limit_that_makes_no_sense_is_400(merchant, params):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.customers.list(params)

    assert caught.value.http_status == 400
    assert caught.value.param == next(iter(params))


def test_payments_are_found_by_customer_and_time(merchant):
    mine, other = merchant.payer(), merchant.payer()
    early = merchant.v1.payment_intents.create(mine.charge())
    merchant.v1.payment_intents.create(other.charge())
    merchant.control.advance_clock(1000)
    late = merchant.v1.payment_intents.create(mine.charge())
    intents = merchant.v1.payment_intents

    assert ids(intents.list({"customer": mine.customer})) == [late.id, early.id]
    assert ids(intents.list({"customer": mine.customer, "created": {"gte": late.created}})) == [late.id]
    assert ids(intents.list({"customer": mine.customer, "created": {"gt": late.created}})) == []
    assert ids(intents.list({"customer": mine.customer, "created": {"lt": late.created}})) == [early.id]
    assert ids(intents.list({"created": {"gte": early.created, "lte": early.created + 100}}))[-1] == early.id
    assert ids(intents.list({"created": late.created})) == [late.id]


def test_events_are_found_by_type(merchant):
    merchant.v1.payment_intents.create(merchant.payer().charge())

    found = merchant.v1.events.list({"types": ["charge.succeeded", "payment_intent.succeeded"]})

    assert [each.type for each in found.data] == ["payment_intent.succeeded", "charge.succeeded"]
    assert merchant.v1.events.retrieve(found.data[0].id).data.object.status == "succeeded"


def test_expanding_reaches_through_lists_and_objects(merchant):
    merchant.v1.payment_intents.create(merchant.payer().charge())

    page = merchant.v1.payment_intents.list({"expand": ["data.latest_charge.balance_transaction", "data.customer"]})

    assert page.data[0].latest_charge.balance_transaction.net == 1000
    assert page.data[0].customer.object == "customer"


def test_a_list_that_stripe_leaves_out_comes_when_it_is_asked_for(merchant):
    intent = merchant.v1.payment_intents.create(merchant.payer().charge())
    merchant.v1.refunds.create({"payment_intent": intent.id, "amount": 100})

    plain = merchant.v1.charges.retrieve(intent.latest_charge)
    expanded = merchant.v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})

    assert "refunds" not in plain
    assert [each.amount for each in expanded.refunds.data] == [100]


@pytest.mark.parametrize("path", ["colour", "amount", "status", "customer.name", "a.b.c.d.e"])
def test_what_cannot_be_expanded_is_refused(merchant, path):
    intent = merchant.v1.payment_intents.create(merchant.payer().charge())
    merchant.v1.customers.update(intent.customer, {"name": "x"})

    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.payment_intents.retrieve(intent.id, {"expand": [path]})

    assert caught.value.param == "expand"


def test_products_and_prices_are_made_changed_and_listed(merchant):
    product = merchant.v1.products.create({"name": "Router"})
    price = merchant.v1.prices.create({"product": product.id, "currency": "eur", "unit_amount": 900})
    monthly = merchant.v1.prices.create(
        {"product_data": {"name": "Plan"}, "currency": "usd", "unit_amount": 5, "recurring": {"interval": "month"}}
    )
    merchant.v1.products.update(product.id, {"default_price": price.id, "active": False})

    assert merchant.v1.products.retrieve(product.id, {"expand": ["default_price"]}).default_price.unit_amount == 900
    assert ids(merchant.v1.products.list({"active": False})) == [product.id]
    assert ids(merchant.v1.prices.list({"type": "recurring"})) == [monthly.id]
    assert ids(merchant.v1.prices.list({"product": product.id})) == [price.id]
