"""The policy of the cache: what a charge gets while its source answers, hangs, is away, or refuses."""

from __future__ import annotations

import contextlib
import logging
import pickle
import secrets
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from routing.errors import KeyUnavailable
from routing.keys import Keyring, KeyState
from routing.keys.baked import BakedSource
from routing.keys.source import KeyRef
from routing.keys.vault import VaultSettings, VaultSource
from tests.keys.openbao import ROOT

SEALED = (503, {"Content-Type": "application/json"}, b'{"errors":["Vault is sealed"]}')
NOT_BAKED = BakedSource({})


def vault_at(addr: str) -> VaultSource:
    settings = VaultSettings.from_environ({"VAULT_ADDR": addr, "VAULT_TOKEN": ROOT})
    assert settings is not None
    return VaultSource(settings)


def new_key() -> str:
    return "rk_live_" + secrets.token_hex(16)


@contextlib.contextmanager
def at_once():
    """Fail if what is inside waited for a source: half a second is less than any of Vault's timeouts."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 0.4


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def path(domain):
    return KeyRef.to(domain).path


@pytest.fixture
def stored(openbao, path, live_key):
    """Write the domain's key to Vault."""
    openbao.write(path, secret_key=live_key)
    return live_key


@pytest.fixture
def baked_key():
    return new_key()


@pytest.fixture
def baked(domain, baked_key):
    return BakedSource({f"STRIPE_SECRET_KEY__{domain.upper().replace('-', '_')}": baked_key})


@pytest.fixture
def keyring(gate, clock):
    """Make a keyring of the real server, behind the gate, without baked values."""
    return Keyring(vault_at(gate.addr), NOT_BAKED, clock)


@pytest.fixture
def keyring_with_baked(gate, baked, clock):
    return Keyring(vault_at(gate.addr), baked, clock)


# Fresh


def test_a_key_is_fetched_once_and_kept(keyring, gate, domain, stored):
    found = [keyring.keys(domain).secret_key.reveal() for _ in range(100)]

    assert set(found) == {stored}
    assert len(gate.requests) == 1


def test_callers_that_come_together_share_the_first_question(keyring, gate, domain, stored):
    with ThreadPoolExecutor(16) as callers:
        found = list(callers.map(lambda _: keyring.keys(domain).secret_key.reveal(), range(64)))

    assert set(found) == {stored}
    assert len(gate.requests) == 1


def test_a_rotated_key_is_taken_within_a_minute(keyring, clock, finish, openbao, domain, path, stored):
    keyring.keys(domain)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)

    clock.advance(60)
    served_meanwhile = keyring.keys(domain)
    finish(keyring)

    assert served_meanwhile.secret_key.reveal() == stored
    assert keyring.keys(domain).secret_key.reveal() == rotated
    assert keyring.keys(domain).version == "2"


def test_a_key_is_not_asked_for_again_while_it_is_fresh(keyring, gate, clock, domain, stored):
    keyring.keys(domain)
    clock.advance(44)

    keyring.keys(domain)

    assert len(gate.requests) == 1


def test_callers_that_find_an_ageing_key_cause_one_refresh(keyring, gate, clock, finish, domain, stored):
    keyring.keys(domain)
    clock.advance(61)

    with ThreadPoolExecutor(16) as callers:
        list(callers.map(lambda _: keyring.keys(domain), range(64)))
    finish(keyring)

    assert len(gate.requests) == 2


def test_a_key_that_nobody_asks_for_is_kept_fresh(gate, openbao, clock, domain, path, stored):
    keyring = Keyring(vault_at(gate.addr), NOT_BAKED, clock)
    keyring.keys(domain)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)

    keyring.start_keeper()
    clock.advance(61)
    deadline = time.monotonic() + 10
    while keyring.status(domain).version != "2" and time.monotonic() < deadline:
        time.sleep(0.05)
    keyring.stop_keeper()

    assert keyring.keys(domain).secret_key.reveal() == rotated


def test_a_row_that_names_another_path_gets_that_paths_key(keyring, openbao, domain, stored):
    keyring.keys(domain)
    moved = new_key()
    openbao.write(f"secret/data/stripe/moved/{domain}", secret_key=moved)

    found = keyring.keys(domain, f"secret/data/stripe/moved/{domain}")

    assert found.secret_key.reveal() == moved


# Vault unavailable


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

    with pytest.raises(KeyUnavailable, match=r"fetched over 60 minutes ago\. Vault at .* cannot answer now \(503\)"):
        keyring.keys(domain)


def test_a_vault_that_comes_back_is_used_again(keyring, gate, clock, finish, domain, stored):
    gate.answer = SEALED
    with pytest.raises(KeyUnavailable, match="cannot answer now"):
        keyring.keys(domain)
    gate.answer = None

    clock.advance(2)
    with pytest.raises(KeyUnavailable):
        keyring.keys(domain)
    finish(keyring)

    assert keyring.keys(domain).secret_key.reveal() == stored


def test_a_dead_vault_is_asked_less_and_less_often(keyring, gate, clock, finish, domain):
    gate.answer = SEALED

    for _ in range(600):
        with pytest.raises(KeyUnavailable):
            keyring.keys(domain)
        finish(keyring)
        clock.advance(1)

    assert 10 <= len(gate.requests) <= 25


def test_only_the_first_answer_is_waited_for(doomed_openbao, clock, domain):
    doomed_openbao.hang()
    keyring = Keyring(vault_at(doomed_openbao.addr), NOT_BAKED, clock)
    with pytest.raises(KeyUnavailable, match="ReadTimeout"):
        keyring.keys(domain)
    clock.advance(61)

    with at_once(), pytest.raises(KeyUnavailable):
        keyring.keys(domain)


def test_a_failure_that_nobody_foresaw_is_an_outage_and_ends(clock, finish, domain, baked, baked_key):
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


# The baked values


def test_without_vault_the_baked_key_is_the_key(baked, baked_key, clock, caplog, domain):
    keyring = Keyring(None, baked, clock)

    assert keyring.keys(domain).secret_key.reveal() == baked_key
    assert keyring.status(domain).state is KeyState.FRESH
    assert warned(caplog) == []


@pytest.mark.parametrize(
    "value", [None, "", " ", "sk_test_" + secrets.token_hex(16), "pk_live_" + secrets.token_hex(16)]
)
def test_without_vault_a_baked_value_that_is_no_live_key_is_a_runtime_error(value, clock):
    keyring = Keyring(None, BakedSource({} if value is None else {"STRIPE_SECRET_KEY": value}), clock)

    with pytest.raises(RuntimeError, match="No live key may be used for the domain 'stripe'"):
        keyring.keys("stripe")


def test_the_baked_key_stands_in_while_vault_has_never_answered(
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


def test_the_baked_key_never_follows_one_of_vaults(keyring_with_baked, gate, clock, finish, domain, stored):
    keyring_with_baked.keys(domain)
    gate.answer = SEALED

    clock.advance(3601)

    for _ in range(3):
        with pytest.raises(KeyUnavailable):
            keyring_with_baked.keys(domain)
        finish(keyring_with_baked)
        clock.advance(61)


def test_no_baked_key_stands_in_once_vault_has_answered_for_any_domain(keyring_with_baked, gate, openbao, domain):
    openbao.write("secret/data/stripe/first", secret_key=new_key())
    keyring_with_baked.keys("first")
    gate.answer = SEALED

    with pytest.raises(KeyUnavailable, match="cannot answer now"):
        keyring_with_baked.keys(domain)


def test_an_answer_for_one_domain_ends_the_stand_in_of_another(keyring_with_baked, gate, openbao, domain):
    openbao.write("secret/data/stripe/first", secret_key=new_key())
    gate.answer = SEALED
    keyring_with_baked.keys(domain)
    gate.answer = None
    keyring_with_baked.keys("first")

    with pytest.raises(KeyUnavailable):
        keyring_with_baked.keys(domain)


def test_a_baked_test_key_does_not_stand_in(gate, clock):
    gate.answer = SEALED
    keyring = Keyring(
        vault_at(gate.addr), BakedSource({"STRIPE_SECRET_KEY": "sk_test_" + secrets.token_hex(16)}), clock
    )

    with pytest.raises(KeyUnavailable, match=r"cannot answer now .* is a test-mode key"):
        keyring.keys("stripe")


# Refused


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


def test_a_refused_key_that_is_put_right_is_used(keyring, openbao, clock, finish, domain, path, live_key):
    with pytest.raises(KeyUnavailable, match="There is nothing at Vault"):
        keyring.keys(domain)
    openbao.write(path, secret_key=live_key)

    clock.advance(2)
    keyring.refresh_due()
    finish(keyring)

    assert keyring.keys(domain).secret_key.reveal() == live_key


# After Stripe refused a key


def test_refresh_asks_at_once_and_returns_the_new_key(keyring, openbao, clock, domain, path, stored):
    keyring.keys(domain)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)
    clock.advance(6)

    assert keyring.refresh(domain).secret_key.reveal() == rotated


def test_refreshes_that_come_together_ask_once(keyring, gate, clock, domain, stored):
    keyring.keys(domain)
    clock.advance(6)

    with ThreadPoolExecutor(16) as callers:
        list(callers.map(lambda _: keyring.refresh(domain), range(64)))

    assert len(gate.requests) == 2


def test_refresh_gives_the_last_good_key_in_an_outage_and_spares_a_dead_vault(keyring, gate, clock, domain, stored):
    keyring.keys(domain)
    gate.answer = SEALED
    clock.advance(6)

    found = {keyring.refresh(domain).secret_key.reveal() for _ in range(20)}

    assert found == {stored}
    assert len(gate.requests) == 2


# What people may know


def test_status_tells_everything_but_the_values(keyring, openbao, domain, path, live_key):
    public, signing = "pk_live_" + secrets.token_hex(16), "whsec_" + secrets.token_hex(16)
    openbao.write(path, secret_key=live_key, public_key=public, webhook_secrets=signing)
    keyring.keys(domain)

    status = keyring.status(domain)

    assert (status.domain, status.state, status.problem) == (domain, KeyState.FRESH, "")
    assert (status.source, status.version) == (f"Vault {path}", "1")
    assert (status.fingerprint, status.is_restricted) == (f"rk_live_…{live_key[-4:]}", True)
    assert (status.has_public_key, status.webhook_secrets) == (True, 1)
    assert 45 <= (status.next_refresh - status.fetched_at).total_seconds() <= 60
    assert live_key[8:] not in repr(status)


def test_status_asks_nobody(keyring, gate, domain):
    status = keyring.status(domain)

    assert status.state is KeyState.NOT_LOADED
    assert gate.requests == []


def test_status_says_what_is_wrong(keyring, gate, domain):
    gate.answer = SEALED
    with pytest.raises(KeyUnavailable):
        keyring.keys(domain)

    status = keyring.status(domain)

    assert status.state is KeyState.CLOSED
    assert "cannot answer now (503)" in status.problem
    assert status.fingerprint == ""


def test_a_full_secret_key_is_accepted_with_a_warning(keyring, openbao, caplog, domain, path):
    openbao.write(path, secret_key="sk_live_" + secrets.token_hex(16))

    keyring.keys(domain)

    assert "make a restricted key" in caplog.text
    assert keyring.status(domain).is_restricted is False


def test_a_planted_key_is_found_nowhere(keyring, openbao, clock, finish, caplog, domain, path):
    caplog.set_level(logging.DEBUG)
    body = secrets.token_hex(16)
    openbao.write(path, secret_key="sk_live_" + body, webhook_secrets=["whsec_" + body])
    shown = repr(keyring.keys(domain)) + repr(keyring.status(domain))

    for planted in ("sk_test_" + body, "rk_live_" + body + "\n", "pk_live_" + body, ["rk_live_" + body]):
        openbao.write(path, secret_key=planted)
        clock.advance(61)
        keyring.refresh_due()
        finish(keyring)
        shown += all_that_a_refusal_shows(keyring, domain)

    shown += "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "is a publishable key" in shown
    assert body not in shown


def all_that_a_refusal_shows(keyring: Keyring, domain: str) -> str:
    """Return the error as text, pickle and traceback; the traceback with every frame's variables, as reporters send."""
    with pytest.raises(KeyUnavailable) as refusal:
        keyring.keys(domain)
    described = traceback.TracebackException.from_exception(refusal.value, capture_locals=True)
    return "".join(described.format()) + repr(pickle.dumps(refusal.value)) + repr(keyring.status(domain))
