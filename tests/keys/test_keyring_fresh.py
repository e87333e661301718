"""While the source answers: one question, asked before the key ages."""

import time
from concurrent.futures import ThreadPoolExecutor

from routing.keys import Keyring
from tests.keys.keyrings import NOT_BAKED, new_key, vault_at


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

    keyring.start_background_refresh()
    clock.advance(61)
    deadline = time.monotonic() + 10
    while keyring.status(domain).version != "2" and time.monotonic() < deadline:
        time.sleep(0.05)
    keyring.stop_background_refresh()

    assert keyring.keys(domain).secret_key.reveal() == rotated


def test_a_row_that_names_another_path_gets_that_paths_key(keyring, openbao, domain, stored):
    keyring.keys(domain)
    moved = new_key()
    openbao.write(f"secret/data/stripe/moved/{domain}", secret_key=moved)

    found = keyring.keys(domain, f"secret/data/stripe/moved/{domain}")

    assert found.secret_key.reveal() == moved
