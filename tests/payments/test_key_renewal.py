"""A key that Stripe stops accepting between two calls, and a key of another account."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from routing.errors import KeyUnavailable, StripeUnavailable, WrongAccount
from routing.keys import keyring, reset_keyring
from routing.payments.ledger.models import Payment
from routing.payments.operations.balances import fetch_balance
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.stripe_api.accounts import load_all_keys, load_keys
from routing.registry import snapshot
from routing.registry.models import Domain
from tests.payments.conftest import BOT

if TYPE_CHECKING:
    from tests.conftest import Stripe


def reload_domains():
    return snapshot.reload(snapshot.current()).table.domains


class Rotation:
    """Changes the key that the router finds, and its status at Stripe. ``key`` is the one that it finds now."""

    def __init__(self, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stripe, self.key, self._monkeypatch = stripe, stripe.key, monkeypatch

    def rotate(self, account: str = "", *, old: str = "revoked") -> None:
        new = "rk_live_" + secrets.token_hex(16)
        self.stripe.control.register_keys(account or self.stripe.account, new)
        self.disable(old)
        self._monkeypatch.setenv("STRIPE_SECRET_KEY", new)
        self.key = new

    def disable(self, status: str = "revoked") -> None:
        self.stripe.control.register_keys(self.stripe.account, self.key, status=status)

    def payment_intents(self) -> list[dict[str, Any]]:
        return self.stripe.control.objects(self.key, "payment_intents")


@pytest.fixture
def rotation(stripe, monkeypatch) -> Rotation:
    return Rotation(stripe, monkeypatch)


@pytest.mark.parametrize("old", ["revoked", "expired"])
def test_a_charge_is_sent_with_the_newer_key_under_the_same_idempotency_key(pay, rotation, old):
    pay("before", amount="10")
    before = len(rotation.stripe.control.requests(method="POST", path="/v1/payment_intents"))
    rotation.rotate(old=old)

    payment = pay(amount="10")

    sent = rotation.stripe.control.requests(method="POST", path="/v1/payment_intents")[before:]
    assert payment.status == "succeeded"
    assert len(rotation.payment_intents()) == 2
    assert [request["status"] for request in sent] == [401, 200]
    assert len({request["idempotency_key"] for request in sent}) == 1


def test_every_call_of_an_invoice_is_sent_with_the_newer_key(pay, rotation):
    pay("before", amount="10")
    rotation.rotate()

    payment = pay(quantity=2)

    assert (payment.status, payment.amount) == ("succeeded", "50.00")


def test_reads_are_sent_with_the_newer_key(bot, rotation):
    fetch_balance(BOT)
    rotation.rotate()

    assert fetch_balance(BOT)["domain"] == "stripe"


def test_a_customer_is_created_once(pay, rotation):
    pay("before", amount="10")
    rotation.rotate()

    customer = create_customer(BOT, NewCustomer(name="Ada"), idempotency_key="ada").payment

    assert customer.status == "succeeded"
    names = [customer["name"] for customer in rotation.stripe.control.objects(rotation.key, "customers")]
    assert names.count("Ada") == 1


def test_two_rotations_in_a_row_are_followed(pay, rotation):
    pay("before", amount="10")

    for number in range(2):
        rotation.rotate()
        assert pay(f"order-{number}", amount="10").status == "succeeded"


def test_without_a_newer_key_nothing_was_charged_and_the_next_charge_is_not_written(pay_or_raise, rotation):
    pay_or_raise("before", amount="10")
    rotation.disable()

    with pytest.raises(StripeUnavailable):
        pay_or_raise("order-1", amount="10")
    with pytest.raises(KeyUnavailable, match="Stripe does not accept the key rk_live_…"):
        pay_or_raise("order-2", amount="10")

    assert [row.status for row in Payment.objects.filter(idempotency_key__startswith="order")] == ["received"]


def test_a_charge_that_a_disabled_key_stopped_is_sent_once_there_is_another_key(pay_or_raise, rotation):
    pay_or_raise("before", amount="10")
    rotation.disable()
    with pytest.raises(StripeUnavailable):
        pay_or_raise(amount="10")
    reset_keyring()  # instead of waiting five seconds until the key is read again
    rotation.rotate()

    assert pay_or_raise(amount="10").status == "succeeded"
    assert len(rotation.payment_intents()) == 2


def test_a_newer_key_of_another_account_is_not_used(pay_or_raise, rotation):
    pay_or_raise("before", amount="10")
    rotation.rotate(account="acct_" + secrets.token_hex(8))

    with pytest.raises(StripeUnavailable):
        pay_or_raise(amount="10")

    assert rotation.payment_intents() == []


def test_a_key_that_stripe_refuses_from_the_start_is_replaced_before_anything_is_written(pay, rotation):
    rotation.disable()
    keyring().keys("stripe")
    rotation.rotate()

    assert pay(amount="10").status == "succeeded"
    assert rotation.stripe.control.requests(method="POST", path="/v1/payment_intents")[-1]["status"] == 200


def test_the_key_of_another_account_stops_its_domain_alone_and_is_logged_once(pay, stripe, monkeypatch, caplog):
    Domain.objects.filter(slug="stripe").update(account_id="acct_expected")
    Domain.objects.create(slug="shop", account_id=stripe.account)
    monkeypatch.setenv("STRIPE_SECRET_KEY__SHOP", stripe.key)

    reload_domains()
    for _ in range(3):
        with pytest.raises(WrongAccount, match="expects acct_expected"):
            pay(amount="10")

    assert [record.levelno for record in caplog.records if "is stopped" in record.message] == [logging.ERROR]
    assert stripe.requests("POST") == []
    assert load_keys(reload_domains()["shop"])[1] == stripe.account


def test_a_mismatch_that_comes_back_is_logged_again(bot, stripe, caplog):
    for account in ("acct_expected", stripe.account, "acct_expected"):
        Domain.objects.filter(slug="stripe").update(account_id=account)
        try:
            load_keys(reload_domains()["stripe"])
        except WrongAccount:
            continue

    assert len([record for record in caplog.records if "is stopped" in record.message]) == 2


def test_the_account_is_read_once_for_each_key(pay, rotation):
    for number in range(3):
        pay(f"before-{number}", amount="10")
    rotation.rotate()
    for number in range(3):
        pay(f"after-{number}", amount="10")

    assert [request["status"] for request in rotation.stripe.requests("GET", "/v1/account")] == [200, 200]


def test_at_the_start_every_key_is_loaded_and_a_missing_one_is_logged(bot, stripe, caplog):
    Domain.objects.create(slug="shop")
    reload_domains()

    load_all_keys()

    assert keyring().status("stripe").account_id == stripe.account
    assert "There is no secret key in the environment (STRIPE_SECRET_KEY__SHOP)" in caplog.text
