"""What people may know of a domain's keys, and that no value is among it."""

import logging
import pickle
import secrets
import traceback

import pytest

from routing.errors import KeyUnavailable
from routing.keys import Keyring, KeyState
from tests.keys.keyrings import SEALED


def test_the_status_has_everything_but_the_values(keyring, openbao, domain, path, live_key):
    public, signing = "pk_live_" + secrets.token_hex(16), "whsec_" + secrets.token_hex(16)
    openbao.write(path, secret_key=live_key, public_key=public, webhook_secrets=signing)
    keyring.keys(domain)

    status = keyring.status(domain)

    assert (status.state, status.problem) == (KeyState.FRESH, "")
    assert (status.source, status.version) == (f"Vault {path}", "1")
    assert (status.fingerprint, status.is_restricted) == (f"rk_live_…{live_key[-4:]}", True)
    assert (status.has_public_key, status.webhook_secrets) == (True, 1)
    assert 45 <= (status.next_refresh - status.fetched_at).total_seconds() <= 60
    assert live_key[8:] not in repr(status)


def test_the_status_queries_no_source(keyring, gate, domain):
    status = keyring.status(domain)

    assert status.state is KeyState.NOT_LOADED
    assert gate.requests == []


def test_the_status_has_the_problem(keyring, gate, domain):
    gate.answer = SEALED
    with pytest.raises(KeyUnavailable):
        keyring.keys(domain)

    status = keyring.status(domain)

    assert status.state is KeyState.UNAVAILABLE
    assert "is not available (503)" in status.problem
    assert status.fingerprint == ""


def test_a_full_secret_key_is_accepted_with_a_warning(keyring, openbao, caplog, domain, path):
    openbao.write(path, secret_key="sk_live_" + secrets.token_hex(16))

    keyring.keys(domain)

    assert "replace it with a restricted key" in caplog.text
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
