"""Ids that Stripe gave or took before its own had prefixes: plans as prices, and names that their owners chose."""

from __future__ import annotations

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.billing import finalized, pay, subscribe
from tests.sandbox.conftest import Payer


@pytest.fixture
def product(merchant):
    return merchant.control.seed_product(merchant.account, "gold")["id"]


@pytest.mark.parametrize("plan", ["plan_H2huntABCDEF12", "gold-monthly"])
def test_a_plan_of_old_is_read_subscribed_to_and_listed_as_a_price(merchant, product, plan):
    merchant.control.seed_price(merchant.account, plan, product=product, unit_amount=1000, interval="month")

    subscription = subscribe(merchant, merchant.payer(), plan)

    item = subscription["items"].data[0]
    assert (item.price.id, item.price.object, item.plan.id) == (plan, "price", plan)
    assert merchant.v1.prices.retrieve(plan).product == "gold"
    assert [each.id for each in merchant.v1.prices.list({"product": "gold"}).data] == [plan]


def test_a_customer_without_a_prefix_is_invoiced_like_any_other(merchant, product):
    seeded = merchant.control.seed_customer(merchant.account, "acme-42")
    payer = Payer(seeded["id"], seeded["invoice_settings"]["default_payment_method"])
    price = merchant.control.seed_price(merchant.account, "gold-once", product=product)["id"]

    paid = pay(merchant, finalized(merchant, payer, price), payer)

    assert (paid.status, paid.customer, paid.lines.data[0].pricing.price_details.product) == ("paid", "acme-42", "gold")
    assert merchant.v1.payment_intents.list({"customer": "acme-42"}).data[0].status == "succeeded"


@pytest.mark.parametrize("identifier", ["gold", "org/42", "a.b:c@example.com", "ünïcode", "100%"])
def test_an_id_may_be_any_word(merchant, identifier):
    merchant.control.seed_customer(merchant.account, identifier, name="a")

    assert merchant.v1.customers.retrieve(identifier).name == "a"
    assert merchant.v1.customers.update(identifier, {"name": "b"}).id == identifier


def test_a_product_can_be_made_with_an_id_of_ones_own_once(merchant):
    made = merchant.v1.products.create({"id": "silver", "name": "Silver"})

    assert made.id == "silver"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        merchant.v1.products.create({"id": "silver", "name": "Silver"})
    assert caught.value.code == "resource_already_exists"


def test_one_id_is_one_objects_alone(merchant, product):
    with pytest.raises(RuntimeError, match="gold is the id of a product"):
        merchant.control.seed_customer(merchant.account, product)
