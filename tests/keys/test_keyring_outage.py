"""While Vault is away: the last good key for an hour, and nobody waits."""

import contextlib

import pytest

from routing.errors import KeyUnavailable
from routing.keys import Keyring, KeyState
from tests.keys.keyrings import NOT_BAKED, SEALED, at_once, vault_at, warned


def test_a_hung_vault_delays_nobody_who_can_be_served(doomed_openbao, clock, domain, path, live_key):
    doomed_openbao.write(path, secret_key=live_key)
    keyring = Keyring(vault_at(doomed_openbao.addr), NOT_BAKED, clock)
    keyring.keys(domain)
    doomed_openbao.hang()
    clock.advance(61)

    with at_once():
        found = [keyring.keys(domain).secret_key.reveal() for _ in range(50)]

    assert set(found) == {live_key}


def test_nobody_waits_once_a_hung_vault_has_made_the_key_too_old(doomed_openbao, clock, finish, domain, path, live_key):
    doomed_openbao.write(path, secret_key=live_key)
    keyring = Keyring(vault_at(doomed_openbao.addr), NOT_BAKED, clock)
    keyring.keys(domain)
    doomed_openbao.hang()
    clock.advance(3601)

    with at_once(), pytest.raises(KeyUnavailable, match="fetched over 60 minutes ago"):
        keyring.keys(domain)

    doomed_openbao.go_on()
    finish(keyring)
    clock.advance(61)
    with contextlib.suppress(KeyUnavailable):
        keyring.keys(domain)
    finish(keyring)
    assert keyring.keys(domain).secret_key.reveal() == live_key


def test_the_last_good_key_outlives_an_outage_for_an_hour(keyring, gate, clock, finish, caplog, domain, stored):
    keyring.keys(domain)
    gate.answer = SEALED
    for _ in range(59):
        clock.advance(60)
        assert keyring.keys(domain).secret_key.reveal() == stored
        finish(keyring)
    assert keyring.status(domain).state is KeyState.LAST_GOOD
    assert warned(caplog) == ["WARNING"]
    assert "last good key" in caplog.text
    assert "STRIPE_SECRET_KEY" not in caplog.text  # the baked values have nothing to do with it any more

    clock.advance(61)

    with pytest.raises(KeyUnavailable, match=r"fetched over 60 minutes ago\. Vault at .* is not available \(503\)"):
        keyring.keys(domain)


def test_a_vault_that_recovers_is_used_again(keyring, gate, clock, finish, domain, stored):
    gate.answer = SEALED
    with pytest.raises(KeyUnavailable, match="is not available"):
        keyring.keys(domain)
    gate.answer = None

    clock.advance(2)
    with pytest.raises(KeyUnavailable):
        keyring.keys(domain)
    finish(keyring)

    assert keyring.keys(domain).secret_key.reveal() == stored


def test_a_dead_vault_is_queried_less_and_less_often(keyring, gate, clock, finish, domain):
    gate.answer = SEALED

    for _ in range(600):
        with pytest.raises(KeyUnavailable):
            keyring.keys(domain)
        finish(keyring)
        clock.advance(1)

    assert 10 <= len(gate.requests) <= 25


def test_only_the_first_response_is_waited_for(doomed_openbao, clock, domain):
    doomed_openbao.hang()
    keyring = Keyring(vault_at(doomed_openbao.addr), NOT_BAKED, clock)
    with pytest.raises(KeyUnavailable, match="ReadTimeout"):
        keyring.keys(domain)
    clock.advance(61)

    with at_once(), pytest.raises(KeyUnavailable):
        keyring.keys(domain)


def test_an_unexpected_failure_is_an_outage_and_ends(clock, finish, domain, baked, baked_key):
    class Broken:
        failure: Exception | None = ZeroDivisionError(baked_key)

        def fetch(self, ref):
            if self.failure:
                raise self.failure
            return baked.fetch(ref)

    broken = Broken()
    keyring = Keyring(broken, NOT_BAKED, clock)
    with pytest.raises(KeyUnavailable, match=r"failed unexpectedly \(ZeroDivisionError\)") as refusal:
        keyring.keys(domain)
    assert baked_key not in str(refusal.value)

    broken.failure = None
    clock.advance(2)
    keyring.refresh_due()
    finish(keyring)

    assert keyring.keys(domain).secret_key.reveal() == baked_key
