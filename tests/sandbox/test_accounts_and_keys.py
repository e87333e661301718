"""Whose account a key opens, and what happens to keys that may not."""

from __future__ import annotations

import base64
import secrets

import pytest
import stripe  # noqa: TID251 (the SDK's errors are what is asserted)

from tests.sandbox.conftest import Merchant, client, exchange, live_key


def test_several_keys_open_one_account(merchant, control):
    second = live_key("rk")
    control.register_keys(merchant.account, second)
    customer = merchant.v1.customers.create({"name": "a"})

    found = client(control.address, second).v1.customers.retrieve(customer.id)

    assert found.name == "a"
    assert merchant.v1.accounts.retrieve_current().id == merchant.account


def test_an_unknown_live_key_opens_an_account_of_its_own_and_always_the_same(control):
    key = live_key()

    first, second = (client(control.address, key).v1.accounts.retrieve_current().id for _ in range(2))

    assert first == second
    assert first.startswith("acct_")
    assert client(control.address, live_key()).v1.accounts.retrieve_current().id != first


def test_accounts_do_not_see_each_others_objects(merchant, control):
    intent = merchant.v1.payment_intents.create(merchant.payer().charge())
    stranger = client(control.address, live_key()).v1

    with pytest.raises(stripe.InvalidRequestError) as caught:
        stranger.payment_intents.retrieve(intent.id)

    assert caught.value.code == "resource_missing"
    assert stranger.payment_intents.list().data == []
    assert stranger.balance.retrieve().pending[0].amount == 0


@pytest.mark.parametrize("key", ["sk_" + "test_" + "a" * 24, "sk_live_", "pk_live_" + "a" * 24, "Xq7", "sk_live_ü" * 9])
def test_a_key_that_is_not_of_the_live_format_is_401_and_not_repeated(control, key):
    status, answer = exchange(control.address, "/v1/balance", Authorization=f"Bearer {key}")

    assert status == 401
    assert key not in answer


def test_no_key_is_401(control):
    status, answer = exchange(control.address, "/v1/balance")

    assert status == 401
    assert "did not provide an API key" in answer


def test_basic_authentication_carries_the_key_as_its_user(merchant):
    credentials = base64.b64encode(f"{merchant.key}:".encode()).decode()

    status, answer = exchange(merchant.address, "/v1/account", Authorization=f"Basic {credentials}")

    assert status == 200
    assert merchant.account in answer


@pytest.mark.parametrize(("status", "code"), [("revoked", None), ("expired", "api_key_expired")])
def test_a_stopped_key_is_401(merchant, control, status, code):
    control.register_keys(merchant.account, merchant.key, status=status)

    with pytest.raises(stripe.AuthenticationError) as caught:
        merchant.v1.balance.retrieve()

    assert caught.value.error.code == code
    assert merchant.key not in str(caught.value)


def test_a_restricted_key_is_403_where_it_may_not(merchant, control):
    restricted = live_key("rk")
    control.register_keys(merchant.account, restricted, denied=["charges"])
    v1 = client(control.address, restricted).v1

    with pytest.raises(stripe.PermissionError):
        v1.charges.list()

    assert v1.balance.retrieve().object == "balance"


def test_another_account_in_the_header_or_the_path_is_403(merchant):
    with pytest.raises(stripe.PermissionError):
        merchant.v1.balance.retrieve({}, {"stripe_account": "acct_other"})
    with pytest.raises(stripe.PermissionError):
        merchant.v1.accounts.retrieve("acct_other")

    assert merchant.v1.accounts.retrieve(merchant.account).charges_enabled


def test_only_live_keys_can_be_registered(control):
    with pytest.raises(RuntimeError, match="live format"):
        control.register_keys("acct_1", f"sk_test_{secrets.token_hex(16)}")


def test_the_demo_can_seed_the_ids_of_the_example_routes(control):
    merchant = Merchant(control, f"acct_{secrets.token_hex(8)}", live_key())
    control.register_keys(merchant.account, merchant.key)
    control.seed_product(merchant.account, "prod_finance_router", name="Finance router")
    control.seed_price(merchant.account, "price_finance_standard", product="prod_finance_router", unit_amount=2500)
    control.seed_customer(merchant.account, "cus_finance_default", name="Finance")

    assert merchant.v1.products.retrieve("prod_finance_router").name == "Finance router"
    assert merchant.v1.prices.retrieve("price_finance_standard").unit_amount == 2500
    assert merchant.v1.customers.retrieve("cus_finance_default").invoice_settings.default_payment_method


def test_a_seeded_price_needs_its_product(merchant, control):
    with pytest.raises(RuntimeError, match="needs the product"):
        control.seed_price(merchant.account, "price_x", product="prod_unknown")


def test_the_clock_goes_on_and_back(merchant, control):
    began = control.state()["now"]

    control.advance_clock(7200)
    control.advance_clock(-10_800)

    customer = merchant.v1.customers.create({})
    assert began - 3600 <= customer.created <= began - 3500


def test_reset_forgets_everything(merchant, control):
    merchant.v1.customers.create({})
    control.advance_clock(1000)

    control.reset()

    assert control.state()["accounts"] == {}
    assert control.requests() == []
