"""A Secret shows itself to nobody."""

import copy
import dataclasses
import json
import logging
import pickle
import secrets

import pytest

from routing.keys import AccountKeys, Secret
from routing.keys.source import Fetched, KeyRef


@pytest.fixture
def account_keys(live_key):
    return AccountKeys.from_fetched(KeyRef.for_domain("stripe"), Fetched({"secret_key": live_key}, "a test", "3"))


def test_only_reveal_gives_the_value(live_key):
    secret = Secret(live_key)

    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", "%s %r" % (secret, secret)]  # noqa: UP031 (logging formats so)

    assert secret.reveal() == live_key
    assert not any(live_key[8:] in text for text in shown)


def test_a_secret_has_no_dict_and_does_not_change(live_key):
    secret = Secret(live_key)

    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret._value = "another"
    with pytest.raises(AttributeError):
        del secret._value


@pytest.mark.parametrize(
    "give_away",
    [
        pickle.dumps,
        lambda value: pickle.dumps(value, protocol=0),
        copy.copy,
        copy.deepcopy,
        json.dumps,
        lambda value: value.__getstate__(),
        lambda value: value.__reduce__(),
    ],
)
def test_a_secret_is_not_pickled_copied_or_serialized(give_away, live_key):
    with pytest.raises(TypeError) as refusal:
        give_away(Secret(live_key))

    assert live_key not in str(refusal.value)


def test_secrets_compare_by_value_with_secrets_alone(live_key):
    assert Secret(live_key) == Secret(live_key)
    assert hash(Secret(live_key)) == hash(Secret(live_key))
    assert Secret(live_key) != Secret(live_key + "a")
    assert Secret(live_key) != live_key


def test_account_keys_show_only_the_kind_and_the_last_four(account_keys, live_key):
    assert account_keys.fingerprint == f"rk_live_…{live_key[-4:]}"
    assert live_key[8:] not in repr(account_keys)


@pytest.mark.parametrize("give_away", [pickle.dumps, dataclasses.asdict, copy.deepcopy])
def test_account_keys_are_not_pickled_or_copied(give_away, account_keys):
    with pytest.raises(TypeError):
        give_away(account_keys)


def test_the_repr_of_what_was_fetched_shows_no_key(live_key):
    fetched = Fetched({"secret_key": live_key}, "a test")

    assert live_key not in repr(fetched)


def test_a_secret_is_masked_in_a_log_record(caplog):
    value = secrets.token_hex(16)

    logging.getLogger(__name__).warning("holds %s and %r", Secret(value), Secret(value))

    assert value not in caplog.text
