"""Restricted keys: what they may read and write, and the 403 that names what is missing."""

from __future__ import annotations

from typing import Any

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.conftest import client, live_key


@pytest.fixture
def restricted(merchant):
    """Return what makes a restricted key of the merchant's account, and the client for it."""

    def make(**permissions: Any):
        key = live_key("rk")
        merchant.control.register_keys(merchant.account, key, **permissions)
        return client(merchant.address, key).v1

    return make


def refusal(call, *args: Any):
    with pytest.raises(stripe.PermissionError) as caught:
        call(*args)
    return caught.value


def test_a_missing_permission_is_named_in_stripes_words(merchant, restricted):
    v1 = restricted(permissions={"payment_intent": "read"})

    error = refusal(v1.payment_intents.create, merchant.payer().charge())

    assert (error.http_status, error.error.type, error.error.code) == (
        403, "invalid_request_error", "more_permissions_required",
    )  # fmt: skip
    assert "Enabling \"PaymentIntents Write\" ('payment_intent_write') permissions" in str(error)
    assert f"on account '{merchant.account}'" in str(error)
    assert merchant.control.objects(merchant.key, "payment_intents") == []
    assert v1.payment_intents.list().data == []


def test_to_write_is_to_read_too_and_none_is_neither(restricted):
    v1 = restricted(permissions={"customer": "write", "product": "none"})

    made = v1.customers.create({"name": "a"})

    assert v1.customers.retrieve(made.id).name == "a"
    assert "'product_read'" in str(refusal(v1.products.list))


def test_a_key_can_be_given_nothing_but_what_it_names(restricted):
    v1 = restricted(permissions={"balance": "read"}, otherwise="none")

    assert v1.balance.retrieve().object == "balance"
    assert "'customer_read'" in str(refusal(v1.customers.list))
    assert "'connected_account_read'" in str(refusal(v1.accounts.retrieve_current))


@pytest.mark.parametrize(
    ("resource", "permission"),
    [("prices", "plan"), ("refunds", "charge"), ("invoice_payments", "invoice"), ("webhook_endpoints", "webhook")],
)
def test_some_permissions_are_named_for_something_else(restricted, resource, permission):
    v1 = restricted(permissions={permission: "none"})

    assert f"('{permission}_read')" in str(refusal(getattr(v1, resource).list))


def test_a_resource_of_the_paths_can_be_denied_whole(restricted):
    assert "'charge_read'" in str(refusal(restricted(denied=["refunds"]).charges.list))


def test_what_is_expanded_must_be_readable_too(merchant, restricted):
    intent = merchant.v1.payment_intents.create(merchant.payer().charge())
    v1 = restricted(permissions={"charge": "none"})

    plain = v1.payment_intents.retrieve(intent.id)
    error = refusal(v1.payment_intents.retrieve, intent.id, {"expand": ["latest_charge"]})

    assert plain.latest_charge == intent.latest_charge
    assert "'charge_read'" in str(error)


def test_the_key_is_not_in_the_refusal(merchant):
    key = live_key("rk")
    merchant.control.register_keys(merchant.account, key, denied=["balance"])

    error = refusal(client(merchant.address, key).v1.balance.retrieve)

    assert key not in str(error)
    assert f"rk_live_***{key[-4:]}" in str(error)


@pytest.mark.parametrize(
    ("kind", "permissions", "why"),
    [("sk", {"charge": "read"}, "Only a restricted key"), ("rk", {"x": "read"}, "for x")],
)
def test_permissions_that_make_no_sense_are_refused(control, kind, permissions, why):
    with pytest.raises(RuntimeError, match=why):
        control.register_keys("acct_1", live_key(kind), permissions=permissions)


def test_a_permission_survives_until_the_key_is_registered_anew(merchant):
    key = live_key("rk")
    merchant.control.register_keys(merchant.account, key, denied=["charges"])
    merchant.control.register_keys(merchant.account, key)

    assert client(merchant.address, key).v1.charges.list().data == []
