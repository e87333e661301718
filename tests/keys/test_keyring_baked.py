"""When the baked key is used, and when it is not any more."""

import secrets

import pytest

from routing.errors import KeyUnavailable
from routing.keys import Keyring, KeyState
from routing.keys.baked import BakedSource
from tests.keys.keyrings import SEALED, new_key, vault_at, warned


def test_without_vault_the_baked_key_is_the_key(baked, baked_key, clock, caplog, domain):
    keyring = Keyring(None, baked, clock)

    assert keyring.keys(domain).secret_key.reveal() == baked_key
    assert keyring.status(domain).state is KeyState.FRESH
    assert warned(caplog) == []


@pytest.mark.parametrize(
    "value", [None, "", " ", "sk_test_" + secrets.token_hex(16), "pk_live_" + secrets.token_hex(16)]
)
def test_without_vault_a_baked_value_that_is_not_a_live_key_is_a_runtime_error(value, clock):
    keyring = Keyring(None, BakedSource({} if value is None else {"STRIPE_SECRET_KEY": value}), clock)

    with pytest.raises(RuntimeError, match="No live key may be used for the domain 'stripe'"):
        keyring.keys("stripe")


def test_the_baked_key_is_used_while_vault_has_never_responded(
    keyring_with_baked, gate, clock, finish, caplog, domain, stored, baked_key
):
    gate.answer = SEALED
    for _ in range(3):
        assert keyring_with_baked.keys(domain).secret_key.reveal() == baked_key
        clock.advance(61)
        finish(keyring_with_baked)
    assert keyring_with_baked.status(domain).state is KeyState.BAKED
    assert warned(caplog) == ["WARNING"]
    assert "uses its baked key" in caplog.text

    gate.answer = None
    keyring_with_baked.keys(domain)
    finish(keyring_with_baked)

    assert keyring_with_baked.keys(domain).secret_key.reveal() == stored


def test_the_baked_key_never_replaces_one_from_vault(keyring_with_baked, gate, clock, finish, domain, stored):
    keyring_with_baked.keys(domain)
    gate.answer = SEALED

    clock.advance(3601)

    for _ in range(3):
        with pytest.raises(KeyUnavailable):
            keyring_with_baked.keys(domain)
        finish(keyring_with_baked)
        clock.advance(61)


def test_no_baked_key_is_used_once_vault_has_responded_for_any_domain(keyring_with_baked, gate, openbao, domain):
    openbao.write("secret/data/stripe/first", secret_key=new_key())
    keyring_with_baked.keys("first")
    gate.answer = SEALED

    with pytest.raises(KeyUnavailable, match="is not available"):
        keyring_with_baked.keys(domain)


def test_a_response_for_one_domain_ends_the_use_of_anothers_baked_key(keyring_with_baked, gate, openbao, domain):
    openbao.write("secret/data/stripe/first", secret_key=new_key())
    gate.answer = SEALED
    keyring_with_baked.keys(domain)
    gate.answer = None
    keyring_with_baked.keys("first")

    with pytest.raises(KeyUnavailable):
        keyring_with_baked.keys(domain)


def test_a_baked_test_key_is_not_used(gate, clock):
    gate.answer = SEALED
    keyring = Keyring(
        vault_at(gate.addr), BakedSource({"STRIPE_SECRET_KEY": "sk_test_" + secrets.token_hex(16)}), clock
    )

    with pytest.raises(KeyUnavailable, match=r"is not available .* is a test-mode key"):
        keyring.keys("stripe")
