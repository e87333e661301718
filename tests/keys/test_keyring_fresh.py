"""While the source answers: one question, asked before the key ages."""

import time
from concurrent.futures import ThreadPoolExecutor

from routing.keys import Keyring
from tests.keys.keyrings import NOT_BAKED, new_key, vault_at


def test_a_key_is_fetched_once_and_kept(keyring, gate, domain, stored):
    found = [keyring.keys(domain).secret_key.reveal() for _ in range(100)]

    assert set(found) == {stored}
    assert len(gate.requests) == 1


def test_concurrent_callers_share_the_first_query(keyring, gate, domain, stored):
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


def test_a_fresh_key_is_not_queried_again(keyring, gate, clock, domain, stored):
    keyring.keys(domain)
    clock.advance(44)

    keyring.keys(domain)

    assert len(gate.requests) == 1


def test_callers_that_find_an_old_key_cause_one_refresh(keyring, gate, clock, finish, domain, stored):
    keyring.keys(domain)
    clock.advance(61)

    with ThreadPoolExecutor(16) as callers:
        list(callers.map(lambda _: keyring.keys(domain), range(64)))
    finish(keyring)

    assert len(gate.requests) == 2


def test_a_key_that_no_request_uses_is_kept_fresh(gate, openbao, clock, domain, path, stored):
    keyring = Keyring(vault_at(gate.addr), NOT_BAKED, clock)
    keyring.keys(domain)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)

    keyring.start_background_refresh()
    clock.advance(61)
    deadline = time.monotonic() + 10
    while keyring.status(domain).version != "2" and time.monotonic() < deadline:
        time.sleep(0.05)
    keyring.stop_background_refresh()

    assert keyring.keys(domain).secret_key.reveal() == rotated


def test_a_domain_whose_path_changes_gets_the_key_at_the_new_path(keyring, openbao, domain, stored):
    keyring.keys(domain)
    moved = new_key()
    openbao.write(f"secret/data/stripe/moved/{domain}", secret_key=moved)

    found = keyring.keys(domain, f"secret/data/stripe/moved/{domain}")

    assert found.secret_key.reveal() == moved
