"""A key that Stripe refuses in the middle of the work, and the key of another account."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import pytest

from routing.errors import KeyUnavailable, StripeUnavailable, WrongAccount
from routing.identifiers import BotId
from routing.keys import keyring, reset_keyring
from routing.payments.ledger.models import Payment
from routing.payments.ledger.representation import raise_if_failed
from routing.payments.operations.balances import fetch_balance
from routing.payments.operations.charges import Charge, charge
from routing.payments.operations.customers import NewCustomer, create_customer
from routing.payments.stripe_api.accounts import load_all_keys, load_keys
from routing.registry import snapshot
from routing.registry.models import Domain

if TYPE_CHECKING:
    from tests.conftest import Stripe

BOT = BotId.parse("finance:finance_router_bot")


def pay(key="order-1"):
    made = charge(BOT, Charge(amount="10"), idempotency_key=key)
    raise_if_failed(made.payment)
    return made.payment


def fresh_domains():
    return snapshot.reload(snapshot.current()).table.domains


class Rotation:
    """Gives the router another key, as whoever keeps the secrets does."""

    def __init__(self, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stripe, self.held, self._monkeypatch = stripe, stripe.key, monkeypatch

    def to_another_key(self, account: str = "", *, old: str = "revoked") -> str:
        new = "rk_live_" + secrets.token_hex(16)
        self.stripe.control.register_keys(account or self.stripe.account, new)
        self.stop(old)
        self._monkeypatch.setenv("STRIPE_SECRET_KEY", new)
        self.held = new
        return new

    def stop(self, how: str = "revoked") -> None:
        self.stripe.control.register_keys(self.stripe.account, self.held, status=how)


@pytest.fixture
def rotation(stripe, monkeypatch) -> Rotation:
    return Rotation(stripe, monkeypatch)


def intents_of(rotation):
    return rotation.stripe.control.objects(rotation.held, "payment_intents")


@pytest.mark.parametrize("old", ["revoked", "expired"])
def test_a_charge_goes_on_with_the_newer_key_under_the_same_idempotency_key(bot, rotation, old):
    pay("before")
    before = len(rotation.stripe.control.requests(method="POST", path="/v1/payment_intents"))
    rotation.to_another_key(old=old)

    payment = pay()

    sent = rotation.stripe.control.requests(method="POST", path="/v1/payment_intents")[before:]
    assert payment.status == "succeeded"
    assert len(intents_of(rotation)) == 2
    assert [request["status"] for request in sent] == [401, 200]
    assert len({request["idempotency_key"] for request in sent}) == 1


def test_every_call_of_an_invoice_goes_on(bot, rotation):
    pay("before")
    rotation.to_another_key()

    made = charge(BOT, Charge(quantity=2), idempotency_key="order-1")

    assert (made.payment.status, made.payment.amount) == ("succeeded", "50.00")


def test_what_is_read_goes_on_too(bot, rotation):
    fetch_balance(BOT)
    rotation.to_another_key()

    assert fetch_balance(BOT)["domain"] == "stripe"


def test_a_customer_is_created_once(bot, rotation):
    pay("before")
    rotation.to_another_key()

    made = create_customer(BOT, NewCustomer(name="Ada"), idempotency_key="ada")

    assert made.payment.status == "succeeded"
    assert [c["name"] for c in rotation.stripe.control.objects(rotation.held, "customers")].count("Ada") == 1


def test_two_rotations_on_end_are_followed(bot, rotation):
    pay("before")

    for number in range(2):
        rotation.to_another_key()
        assert pay(f"order-{number}").status == "succeeded"


def test_without_a_newer_key_nothing_was_charged_and_the_next_charge_is_not_written(bot, rotation):
    pay("before")
    rotation.stop()

    with pytest.raises(StripeUnavailable):
        pay("order-1")
    with pytest.raises(KeyUnavailable, match="Stripe does not accept the key rk_live_…"):
        pay("order-2")

    assert [row.status for row in Payment.objects.filter(idempotency_key__startswith="order")] == ["received"]


def test_a_charge_that_a_bad_key_stopped_is_made_when_the_key_is_put_right(bot, rotation):
    pay("before")
    rotation.stop()
    with pytest.raises(StripeUnavailable):
        pay()
    reset_keyring()  # the five seconds after which the source is asked again are not waited for
    rotation.to_another_key()

    assert pay().status == "succeeded"
    assert len(intents_of(rotation)) == 2


def test_a_newer_key_of_another_account_is_not_used(bot, rotation):
    pay("before")
    rotation.to_another_key(account="acct_" + secrets.token_hex(8))

    with pytest.raises(StripeUnavailable):
        pay()

    assert intents_of(rotation) == []


def test_a_key_that_stripe_refuses_from_the_start_is_replaced_before_anything_is_written(bot, rotation):
    rotation.stop()
    keyring().keys("stripe")
    rotation.to_another_key()

    assert pay().status == "succeeded"
    assert rotation.stripe.control.requests(method="POST", path="/v1/payment_intents")[-1]["status"] == 200


def test_the_key_of_another_account_stops_its_domain_alone_and_is_told_once(bot, stripe, monkeypatch, caplog):
    Domain.objects.filter(slug="stripe").update(account_id="acct_expected")
    Domain.objects.create(slug="shop", account_id=stripe.account)
    monkeypatch.setenv("STRIPE_SECRET_KEY__SHOP", stripe.key)

    fresh_domains()
    for _ in range(3):
        with pytest.raises(WrongAccount, match="expects acct_expected"):
            pay()

    assert [r.levelno for r in caplog.records if "is stopped" in r.message] == [logging.ERROR]
    assert stripe.requests("POST") == []
    assert load_keys(fresh_domains()["shop"])[1] == stripe.account


def test_a_mismatch_that_comes_back_is_told_again(bot, stripe, caplog):
    for account in ("acct_expected", stripe.account, "acct_expected"):
        Domain.objects.filter(slug="stripe").update(account_id=account)
        try:
            load_keys(fresh_domains()["stripe"])
        except WrongAccount:
            continue

    assert len([record for record in caplog.records if "is stopped" in record.message]) == 2


def test_the_account_is_asked_for_once_for_each_key(bot, rotation):
    for number in range(3):
        pay(f"before-{number}")
    rotation.to_another_key()
    for number in range(3):
        pay(f"after-{number}")

    assert [request["status"] for request in rotation.stripe.requests("GET", "/v1/account")] == [200, 200]


def test_at_the_start_every_key_is_loaded_and_what_is_wrong_is_said(bot, stripe, caplog):
    Domain.objects.create(slug="shop")
    fresh_domains()

    load_all_keys()

    assert keyring().status("stripe").account_id == stripe.account
    assert "There is no secret key in the environment (STRIPE_SECRET_KEY__SHOP)" in caplog.text
