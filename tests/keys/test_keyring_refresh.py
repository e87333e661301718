"""After Stripe has refused a key: the source is asked at once, and spared."""

import threading
from concurrent.futures import ThreadPoolExecutor

from routing.keys import Keyring
from tests.keys.keyrings import NOT_BAKED, SEALED, new_key, vault_at


def test_refresh_queries_at_once_and_returns_the_new_key(keyring, openbao, domain, path, stored):
    held = keyring.keys(domain)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)

    assert keyring.refresh(held).secret_key.reveal() == rotated


def test_a_key_that_is_rotated_twice_in_a_second_is_followed_twice(keyring, openbao, domain, path, stored):
    held = keyring.keys(domain)

    for _ in range(2):
        rotated = new_key()
        openbao.write(path, secret_key=rotated)
        held = keyring.refresh(held)
        assert held.secret_key.reveal() == rotated


def test_concurrent_refreshes_share_one_query(keyring, gate, domain, stored):
    held = keyring.keys(domain)

    with ThreadPoolExecutor(16) as callers:
        list(callers.map(lambda _: keyring.refresh(held), range(64)))

    assert len(gate.requests) == 2


def test_a_late_caller_with_the_old_key_gets_the_new_one_without_a_query(keyring, gate, openbao, domain, path, stored):
    held = keyring.keys(domain)
    openbao.write(path, secret_key=new_key())
    rotated = keyring.refresh(held)

    assert keyring.refresh(held) is rotated
    assert len(gate.requests) == 2


def test_a_source_that_still_has_the_rejected_key_is_queried_every_five_seconds(
    keyring, gate, clock, openbao, domain, path, stored
):
    held = keyring.keys(domain)
    for _ in range(10):
        assert keyring.refresh(held).secret_key.reveal() == stored
    assert len(gate.requests) == 2

    clock.advance(5)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)

    assert keyring.refresh(held).secret_key.reveal() == rotated


def test_the_result_of_a_query_from_before_the_rotation_is_not_used(gate, openbao, clock, domain, path, stored):
    class Slow:
        """Holds back an answer that is already there, until it is let go."""

        is_held, let_go = threading.Event(), threading.Event()

        def fetch(self, ref):
            fetched = vault.fetch(ref)
            if clock.now > 1000:
                self.is_held.set()
                assert self.let_go.wait(10)
            return fetched

    vault, slow = vault_at(gate.addr), Slow()
    keyring = Keyring(slow, NOT_BAKED, clock)
    held = keyring.keys(domain)
    clock.advance(61)
    keyring.refresh_due()
    assert slow.is_held.wait(10)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)
    threading.Timer(0.1, slow.let_go.set).start()

    assert keyring.refresh(held).secret_key.reveal() == rotated


def test_refresh_returns_the_last_good_key_in_an_outage_and_does_not_repeat_the_query(keyring, gate, domain, stored):
    held = keyring.keys(domain)
    gate.answer = SEALED

    found = {keyring.refresh(held).secret_key.reveal() for _ in range(20)}

    assert found == {stored}
    assert len(gate.requests) == 2


def test_a_key_counts_as_rejected_until_stripe_accepts_it_again(keyring, domain, stored):
    held = keyring.keys(domain)
    keyring.record_account(held, "acct_one")
    assert not keyring.is_rejected(held)

    keyring.refresh(held)
    assert (keyring.is_rejected(held), keyring.account_id(held)) == (True, "acct_one")
    keyring.record_account(held, "acct_one")

    assert not keyring.is_rejected(held)


def test_the_account_of_a_key_is_known_while_calls_may_still_use_it(keyring, openbao, domain, path, stored):
    first = keyring.keys(domain)
    keyring.record_account(first, "acct_one")
    openbao.write(path, secret_key=new_key())
    second = keyring.refresh(first)

    assert (keyring.account_id(first), keyring.account_id(second)) == ("acct_one", None)
    keyring.record_account(second, "acct_two")
    assert keyring.status(domain).account_id == "acct_two"


def test_a_key_of_a_former_path_does_not_bring_that_path_back(keyring, openbao, domain, stored):
    held = keyring.keys(domain)
    moved_to, moved = f"secret/data/stripe/moved/{domain}", new_key()
    openbao.write(moved_to, secret_key=moved)
    keyring.keys(domain, moved_to)

    assert keyring.refresh(held).secret_key.reveal() == moved
