"""The deployment's own values: environment variables, or files of the same names."""

import secrets

import pytest

from routing.keys import AccountKeys
from routing.keys.baked import BakedSource
from routing.keys.source import KeyRef, Refused


def test_the_environment_holds_the_stripe_domain_without_a_suffix(live_key):
    public, signing = "pk_live_" + secrets.token_hex(16), "whsec_" + secrets.token_hex(16)
    environ = {"STRIPE_SECRET_KEY": live_key, "STRIPE_PUBLIC_KEY": public, "STRIPE_WEBHOOK_SECRETS": signing}

    keys = AccountKeys.from_fetched(
        KeyRef.for_domain("stripe"), BakedSource(environ).fetch(KeyRef.for_domain("stripe"))
    )

    assert keys.secret_key.reveal() == live_key
    assert keys.public_key == public
    assert [secret.reveal() for secret in keys.webhook_secrets] == [signing]
    assert keys.source == "the environment (STRIPE_SECRET_KEY)"


def test_the_repr_of_a_source_shows_no_key(live_key):
    assert live_key not in repr(BakedSource({"STRIPE_SECRET_KEY": live_key}))


def test_another_domain_has_its_name_as_a_suffix(live_key):
    source = BakedSource({"STRIPE_SECRET_KEY__SHOP_EU": live_key})

    fetched = source.fetch(KeyRef.for_domain("shop-eu"))

    assert fetched.values == {"secret_key": live_key}


def test_a_domain_never_gets_the_key_of_another(live_key):
    source = BakedSource({"STRIPE_SECRET_KEY": live_key})

    with pytest.raises(
        Refused, match=r"There is no secret key in the environment \(STRIPE_SECRET_KEY__SHOP\): put the account"
    ):
        source.fetch(KeyRef.for_domain("shop"))


def test_files_have_the_same_names_and_may_end_with_a_line_break(live_key, tmp_path):
    (tmp_path / "STRIPE_SECRET_KEY").write_text(live_key + "\n")
    source = BakedSource({"STRIPE_KEYS_DIR": str(tmp_path)})

    fetched = source.fetch(KeyRef.for_domain("stripe"))

    assert fetched.values == {"secret_key": live_key}
    assert fetched.source == f"the directory {tmp_path} (STRIPE_SECRET_KEY)"


def test_a_file_that_changes_is_read_again(live_key, tmp_path):
    file = tmp_path / "STRIPE_SECRET_KEY"
    file.write_text("rk_live_" + secrets.token_hex(16))
    source = BakedSource({"STRIPE_KEYS_DIR": str(tmp_path)})
    source.fetch(KeyRef.for_domain("stripe"))

    file.write_text(live_key)

    assert source.fetch(KeyRef.for_domain("stripe")).values == {"secret_key": live_key}


def test_a_key_in_both_places_is_refused(live_key, tmp_path):
    (tmp_path / "STRIPE_SECRET_KEY").write_text(live_key)
    source = BakedSource({"STRIPE_KEYS_DIR": str(tmp_path), "STRIPE_SECRET_KEY": live_key})

    with pytest.raises(Refused, match="keep only one of them"):
        source.fetch(KeyRef.for_domain("stripe"))


def test_a_missing_keys_directory_is_refused(tmp_path):
    source = BakedSource({"STRIPE_KEYS_DIR": str(tmp_path / "absent")})

    with pytest.raises(Refused, match="not a directory: mount it there"):
        source.fetch(KeyRef.for_domain("stripe"))


def test_a_file_that_is_not_a_key_is_refused_and_its_content_not_shown(tmp_path):
    (tmp_path / "STRIPE_SECRET_KEY").write_bytes(b"rk_live_\xff" + b"a" * 20)
    source = BakedSource({"STRIPE_KEYS_DIR": str(tmp_path)})

    with pytest.raises(Refused, match="store only the key") as refusal:
        source.fetch(KeyRef.for_domain("stripe"))

    assert refusal.value.__suppress_context__
    assert "aaaa" not in str(refusal.value)


def test_a_directory_in_place_of_a_key_is_refused(tmp_path):
    (tmp_path / "STRIPE_SECRET_KEY").mkdir()
    source = BakedSource({"STRIPE_KEYS_DIR": str(tmp_path)})

    with pytest.raises(Refused, match="cannot be read"):
        source.fetch(KeyRef.for_domain("stripe"))
