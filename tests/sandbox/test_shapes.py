"""The sandbox's objects have the fields of the SDK's classes, and those of Stripe's own example objects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox import table, wheel
from sandbox.objects import NOTICE, is_left_out

EXAMPLES = Path(__file__).parents[3] / "shared" / "facts" / "fixtures3.json"

# Fields of Stripe's examples that the sandbox's objects do not have, and why.
DIFFERENT = {
    ("charge", "refunds"): "left out unless expanded",
    ("invoice", "subscription"): "taken out of the API; it lies in parent.subscription_details",
}


@pytest.fixture
def made(merchant):
    """One object of every kind, as the API answers it."""
    v1, payer = merchant.v1, merchant.payer()
    intent = v1.payment_intents.create(payer.charge())
    v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    merchant.control.dispute_payment(merchant.account, v1.payment_intents.create(payer.charge()).id)
    v1.subscriptions.create(
        {
            "customer": payer.customer,
            "items": [{"price": merchant.price(interval="month")}],
            "default_payment_method": payer.method,
        }
    )
    v1.invoice_items.create({"customer": payer.customer, "pricing": {"price": merchant.price()}})
    line = {"price": merchant.price(), "quantity": 1}
    v1.checkout.sessions.create({"mode": "payment", "line_items": [line], "success_url": "https://example.com"})
    v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["payout.paid"]})
    lists = (
        "balance_transactions", "charges", "checkout/sessions", "customers", "disputes", "events", "invoiceitems",
        "invoice_payments", "invoices", "payment_intents", "prices", "products", "refunds", "subscriptions",
        "webhook_endpoints",
    )  # fmt: skip
    found = [merchant.control.objects(merchant.key, name)[0] for name in lists]
    found += [v1.accounts.retrieve_current().to_dict(), v1.balance.retrieve().to_dict()]
    found += [v1.payment_methods.retrieve(payer.method).to_dict()]
    found += what_changes_amounts(merchant, payer)
    by_kind = {each["object"]: each for each in found}
    by_kind["line_item"] = by_kind["invoice"]["lines"]["data"][0]
    by_kind["subscription_item"] = by_kind["subscription"]["items"]["data"][0]
    return by_kind


def what_changes_amounts(merchant, payer):
    """Return what is not in the lists of the API, and what came with discounts, taxes, balances and setups."""
    v1 = merchant.v1
    coupon = v1.coupons.create({"percent_off": 12.5, "duration": "forever"})
    code = v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    merchant.control.discount_customer(merchant.account, payer.customer, coupon.id)
    discount = v1.customers.retrieve(payer.customer).discount
    rate = v1.tax_rates.create({"display_name": "VAT", "inclusive": False, "percentage": 19})
    entry = v1.customers.balance_transactions.create(payer.customer, {"amount": -1, "currency": "usd"})
    setup = {"mode": "setup", "currency": "usd", "success_url": "https://example.com"}
    intent = v1.setup_intents.retrieve(v1.checkout.sessions.create(setup).setup_intent)
    return [each.to_dict() for each in (coupon, code, discount, rate, entry, intent)]


def test_every_object_has_every_field_of_the_sdks_class(made):
    for kind, found in made.items():
        wanted = {name for name in wheel.fields(kind) if not is_left_out(kind, name)}
        assert wanted <= found.keys(), kind


def test_no_field_that_the_sdk_needs_is_null(made):
    for kind, found in made.items():
        needed = {name for name, is_nullable in wheel.fields(kind).items() if not is_nullable}
        nulls = {name for name in needed if found[name] is None}
        assert nulls == set(), kind


def test_every_object_says_that_it_is_not_stripes_and_is_live_where_stripes_is(made):
    for kind, found in made.items():
        assert found["sandbox"] == NOTICE
        assert found.get("livemode") is (True if "livemode" in wheel.fields(kind) else None), kind


def test_every_endpoint_is_one_that_the_wheel_knows():
    assert table.ENDPOINTS.keys() <= wheel.calls().keys()


@pytest.mark.skipif(not EXAMPLES.exists(), reason="Stripe's example objects do not lie beside this checkout")
def test_every_field_of_stripes_examples_is_there_with_a_like_type(made):
    examples = json.loads(EXAMPLES.read_text())["resources"]
    missing, unlike = set(), set()

    for kind, found in made.items():
        for name, example in examples[kind].items():
            if name not in found:
                missing.add((kind, name))
            elif None not in (example, found[name]) and type(example) is not type(found[name]):
                unlike.add((kind, name, type(example).__name__, type(found[name]).__name__))

    assert missing == DIFFERENT.keys()
    assert unlike == set()
