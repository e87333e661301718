"""What the source refuses stays refused, also through an outage."""

import secrets

import pytest

from routing.errors import KeyUnavailable
from routing.keys import KeyState
from tests.keys.keyrings import SEALED, warned


def test_a_test_key_in_vault_is_refused_and_an_outage_afterwards_unlocks_nothing(
    keyring_with_baked, gate, openbao, clock, finish, domain, path
):
    openbao.write(path, secret_key="sk_test_" + secrets.token_hex(16))
    with pytest.raises(RuntimeError, match="is a test-mode key"):
        keyring_with_baked.keys(domain)

    gate.answer = SEALED

    for seconds in (2, 61, 3601):
        clock.advance(seconds)
        with pytest.raises(RuntimeError, match="is a test-mode key"):
            keyring_with_baked.keys(domain)
        finish(keyring_with_baked)
    assert keyring_with_baked.status(domain).state is KeyState.REFUSED


def test_a_key_that_is_deleted_is_gone_at_the_next_refresh_even_in_an_outage(
    keyring_with_baked, gate, openbao, clock, finish, caplog, domain, path, stored
):
    keyring_with_baked.keys(domain)
    openbao.root().adapter.delete(f"/v1/{path}")
    clock.advance(61)
    keyring_with_baked.refresh_due()
    finish(keyring_with_baked)
    gate.answer = SEALED

    for seconds in (0, 61):
        clock.advance(seconds)
        with pytest.raises(KeyUnavailable, match=r"newest version of .* is deleted"):
            keyring_with_baked.keys(domain)
        finish(keyring_with_baked)

    assert warned(caplog) == ["ERROR"]
    assert keyring_with_baked.status(domain).fingerprint == ""


def test_a_refused_key_that_is_fixed_is_used(keyring, openbao, clock, finish, domain, path, live_key):
    with pytest.raises(KeyUnavailable, match="There is no secret at Vault"):
        keyring.keys(domain)
    openbao.write(path, secret_key=live_key)

    clock.advance(2)
    keyring.refresh_due()
    finish(keyring)

    assert keyring.keys(domain).secret_key.reveal() == live_key
