"""After Stripe has refused a key: the source is asked at once, and spared."""

from concurrent.futures import ThreadPoolExecutor

from tests.keys.keyrings import SEALED, new_key


def test_refresh_asks_at_once_and_returns_the_new_key(keyring, openbao, clock, domain, path, stored):
    held = keyring.keys(domain)
    rotated = new_key()
    openbao.write(path, secret_key=rotated)
    clock.advance(6)

    assert keyring.refresh(held).secret_key.reveal() == rotated


def test_refreshes_that_come_together_ask_once(keyring, gate, clock, domain, stored):
    held = keyring.keys(domain)
    clock.advance(6)

    with ThreadPoolExecutor(16) as callers:
        list(callers.map(lambda _: keyring.refresh(held), range(64)))

    assert len(gate.requests) == 2


def test_refresh_gives_the_last_good_key_in_an_outage_and_spares_a_dead_vault(keyring, gate, clock, domain, stored):
    held = keyring.keys(domain)
    gate.answer = SEALED
    clock.advance(6)

    found = {keyring.refresh(held).secret_key.reveal() for _ in range(20)}

    assert found == {stored}
    assert len(gate.requests) == 2
