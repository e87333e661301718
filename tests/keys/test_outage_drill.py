"""An outage drill: what each state of Vault gives charges that come in twenty a second. Nobody waits for Vault."""

import pytest

import routing.keys
from routing.keys import KeyState
from tests.keys.drill import PATH, Drill
from tests.keys.openbao import Gate

pytestmark = pytest.mark.usefixtures("bot")

OUTAGES = {
    "sealed": lambda vault: vault.root().sys.seal(),
    "stopped": lambda vault: vault.stop(),
    "hung": lambda vault: vault.hang(),
}

REFUSALS = {
    "policy removed": (lambda vault: vault.root().sys.delete_policy("router"), "Vault denies reading"),
    "version deleted": (lambda vault: vault.root().adapter.delete(f"/v1/{PATH}"), "is deleted"),
    "rotated to a test key": (lambda vault: vault.write(PATH, secret_key="sk_test_" + "0" * 24), "is a test-mode key"),
}


@pytest.fixture
def begin(doomed_openbao, stripe, monkeypatch):
    def begin(**settings: str) -> Drill:
        drill = Drill.begin(doomed_openbao, stripe, **settings)
        monkeypatch.setattr(routing.keys, "_keyring", drill.keyring)
        return drill

    return begin


@pytest.fixture
def drill(begin):
    drill = begin()
    drill.load()
    return drill


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_stops_no_charge_for_an_hour_and_every_one_after_it(drill, outage):
    assert drill.charges(meanwhile={6: lambda: outage(drill.vault)}) == {"succeeded": 12}
    drill.later(61)
    assert drill.charges() == {"succeeded": 12}
    drill.later_and_answered(61)
    assert drill.keyring.status("stripe").state is KeyState.LAST_GOOD

    drill.later(3600)
    [(said, times)] = drill.charges().items()

    assert (said.split(".")[0], times) == ("KeyUnavailable: No live key may be used for the domain 'stripe'", 12)
    assert "fetched over 60 minutes ago" in said
    drill.assert_nobody_waited()
    drill.assert_every_charge_is_accounted_for()


def test_charges_continue_when_a_hung_vault_responds_again(drill):
    drill.vault.hang()
    drill.later_and_answered(3601)
    assert "succeeded" not in drill.charges(4)

    drill.vault.go_on()
    drill.later_and_answered(61)

    assert drill.charges() == {"succeeded": 12}
    assert drill.keyring.status("stripe").state is KeyState.FRESH
    drill.assert_nobody_waited()
    drill.assert_every_charge_is_accounted_for()


@pytest.mark.parametrize(("refuse", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_stops_every_charge_and_no_outage_unlocks_the_baked_key(drill, refuse, words):
    assert drill.charges(4) == {"succeeded": 4}
    refuse(drill.vault)
    drill.later_and_answered(61)
    [(said, times)] = drill.charges().items()
    assert words in said
    assert times == 12

    drill.vault.stop()

    for seconds in (61, 3601):
        drill.later_and_answered(seconds)
        assert drill.charges(4) == {said: 4}
    drill.assert_nobody_waited()
    drill.assert_every_charge_is_accounted_for()


def test_a_revoked_token_costs_one_login_and_no_charge(begin, doomed_openbao):
    with Gate(doomed_openbao.addr).opened() as gate:
        drill = begin(addr=gate.addr)
        drill.load()
        assert drill.charges(4) == {"succeeded": 4}
        doomed_openbao.root().auth.token.revoke(gate.requests[-1][2]["X-Vault-Token"])

        drill.later(61)
        assert drill.charges() == {"succeeded": 12}
        drill.later_and_answered(61)

        assert drill.keyring.status("stripe").state is KeyState.FRESH
        assert gate.paths().count("/v1/auth/approle/login") == 2
    drill.assert_nobody_waited()
    drill.assert_every_charge_is_accounted_for()


def test_a_key_that_is_rotated_twice_in_a_second_loses_no_charge(drill):
    assert drill.charges(20, meanwhile={5: drill.rotate, 12: drill.rotate}) == {"succeeded": 20}

    assert drill.keyring.status("stripe").version == "3"
    assert drill.keyring.keys("stripe").secret_key.reveal() == drill.key
    drill.assert_nobody_waited()
    drill.assert_every_charge_is_accounted_for()


def test_the_baked_key_is_used_only_until_vault_first_responds(begin):
    drill = begin()
    drill.vault.hang()
    drill.load()
    assert drill.charges() == {"succeeded": 12}
    assert drill.keyring.status("stripe").state is KeyState.BAKED

    drill.vault.go_on()
    drill.later_and_answered(61)
    assert drill.keyring.keys("stripe").secret_key.reveal() == drill.key
    drill.vault.stop()
    drill.later(3700)

    assert "succeeded" not in drill.charges(4)
    drill.assert_nobody_waited()
    drill.assert_every_charge_is_accounted_for()
