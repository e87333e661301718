"""The keyring of the process: made from the environment, once, and anew after a fork."""

import os

import pytest

from routing.errors import KeyUnavailable
from routing.keys import keyring, reset_keyring


@pytest.fixture(autouse=True)
def _own_keyring():
    reset_keyring()
    yield
    reset_keyring()


def test_it_is_created_once_and_again_after_a_reset():
    first = keyring()

    assert keyring() is first
    reset_keyring()
    assert keyring() is not first


def test_it_reads_the_environment(monkeypatch, live_key):
    monkeypatch.setenv("STRIPE_SECRET_KEY", live_key)

    assert keyring().keys("stripe").secret_key.reveal() == live_key


def test_it_reads_vault_where_vault_is_configured(monkeypatch, openbao, domain, live_key):
    openbao.write(f"secret/data/stripe/{domain}", secret_key=live_key)
    monkeypatch.setenv("VAULT_ADDR", openbao.addr)
    for name, value in openbao.app_role("process").items():
        monkeypatch.setenv(name, value)

    assert keyring().keys(domain).source == f"Vault secret/data/stripe/{domain}"


def test_a_vault_without_a_way_to_log_in_is_an_error_at_the_start(monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example:8200")

    with pytest.raises(KeyUnavailable, match="no way to log in"):
        keyring()


def test_a_forked_process_has_its_own_that_works(monkeypatch, live_key):
    monkeypatch.setenv("STRIPE_SECRET_KEY", live_key)
    parents = keyring()
    parents.keys("stripe")

    child = os.fork()
    if child == 0:
        is_well = keyring() is not parents and keyring().keys("stripe").secret_key.reveal() == live_key
        os._exit(0 if is_well else 1)

    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
