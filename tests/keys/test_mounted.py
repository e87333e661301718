"""Keys in a mounted directory, in both forms, while Kubernetes swaps it."""

import json
import secrets
import shutil
from pathlib import Path

import pytest

from routing.keys import AccountKeys
from routing.keys.baked import BakedSource
from routing.keys.mounted import read_mounted
from routing.keys.source import KeyRef, Refused

STRIPE = KeyRef.for_domain("stripe")
NAMES = {"secret_key": "STRIPE_SECRET_KEY", "webhook_secrets": "STRIPE_WEBHOOK_SECRETS"}


def key():
    return "rk_live_" + secrets.token_hex(16)


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "keys"
    directory.mkdir()
    return directory


@pytest.fixture
def source(directory):
    return BakedSource({"STRIPE_KEYS_DIR": str(directory)})


class Volume:
    """A secret as Kubernetes mounts it: links to ``..data``, itself a link to the version of now."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.version = directory, 0

    def write(self, **files: str) -> None:
        """Write a new version as the kubelet does: aside, then turn the link, then remove the old one."""
        old, self.version = self.directory / f"..{self.version}", self.version + 1
        new = self.directory / f"..{self.version}"
        new.mkdir()
        for name, content in files.items():
            (new / name).write_text(content)
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        (self.directory / "..turning").symlink_to(new.name)
        (self.directory / "..turning").replace(self.directory / "..data")
        shutil.rmtree(old, ignore_errors=True)


def test_one_json_file_has_a_domains_keys_as_vault_does(source, directory):
    public, signing = "pk_live_" + secrets.token_hex(16), ["whsec_" + secrets.token_hex(16) for _ in range(2)]
    stored = {"secret_key": key(), "public_key": public, "webhook_secrets": signing}
    (directory / "shop-eu.json").write_text(json.dumps(stored))

    keys = AccountKeys.from_fetched(KeyRef.for_domain("shop-eu"), source.fetch(KeyRef.for_domain("shop-eu")))

    assert keys.secret_key.reveal() == stored["secret_key"]
    assert keys.public_key == public
    assert [secret.reveal() for secret in keys.webhook_secrets] == signing
    assert keys.source == f"the file {directory / 'shop-eu.json'}"


def test_systemds_credentials_are_read_where_systemd_puts_them(directory, live_key):
    (directory / "STRIPE_SECRET_KEY").write_text(live_key)

    fetched = BakedSource({"CREDENTIALS_DIRECTORY": str(directory)}).fetch(STRIPE)

    assert fetched.values == {"secret_key": live_key}


def test_other_credentials_in_the_directory_are_ignored(directory, live_key):
    (directory / "database-password").write_text("x")
    source = BakedSource({"CREDENTIALS_DIRECTORY": str(directory), "STRIPE_SECRET_KEY": live_key})

    assert source.fetch(STRIPE).source == "the environment (STRIPE_SECRET_KEY)"


def test_a_swapped_secret_is_read_again(source, directory):
    volume, first, second = Volume(directory), key(), key()
    volume.write(STRIPE_SECRET_KEY=first)
    assert source.fetch(STRIPE).values == {"secret_key": first}

    volume.write(STRIPE_SECRET_KEY=second)

    assert source.fetch(STRIPE).values == {"secret_key": second}


def test_a_swap_in_the_middle_of_a_read_mixes_no_two_versions(directory):
    volume = Volume(directory)
    versions = [{"STRIPE_SECRET_KEY": key(), "STRIPE_WEBHOOK_SECRETS": "whsec_" + secrets.token_hex(16)} for _ in "12"]
    volume.write(**versions[0])

    class SwappedMeanwhile(dict):
        """Names whose second is asked for when the secret has just been swapped."""

        def items(self):
            for number, item in enumerate(super().items()):
                if number == 1 and volume.version == 1:
                    volume.write(**versions[1])
                yield item

    found = read_mounted(directory, "stripe", SwappedMeanwhile(NAMES))

    assert next(iter(found.values())) == {field: versions[1][name] for field, name in NAMES.items()}


def test_a_key_that_is_removed_from_the_secret_is_refused(source, directory):
    volume = Volume(directory)
    volume.write(STRIPE_SECRET_KEY=key())
    source.fetch(STRIPE)

    volume.write(STRIPE_PUBLIC_KEY="pk_live_" + secrets.token_hex(16))

    with pytest.raises(Refused, match="put the account's live key there"):
        source.fetch(STRIPE)


@pytest.mark.parametrize("content", ["", "aaaa", '["aaaa"]', '{"secret_key": "aaaa'])
def test_a_file_that_is_not_a_json_object_is_refused_and_its_content_not_shown(source, directory, content):
    (directory / "stripe.json").write_text(content)

    with pytest.raises(Refused, match="is not a JSON object: store one with secret_key") as refusal:
        source.fetch(STRIPE)

    assert refusal.value.__cause__ is None
    assert "aaaa" not in str(refusal.value)


def test_two_forms_for_one_domain_are_refused(source, directory, live_key):
    (directory / "STRIPE_SECRET_KEY").write_text(live_key)
    (directory / "stripe.json").write_text(json.dumps({"secret_key": live_key}))

    with pytest.raises(Refused, match=r"There is a secret key in the directory .* and in the file .*: keep only one"):
        source.fetch(STRIPE)


def test_the_refusal_names_every_place_that_was_searched(directory):
    source = BakedSource({"STRIPE_KEYS_DIR": str(directory)})

    with pytest.raises(Refused) as refusal:
        source.fetch(KeyRef.for_domain("shop"))

    assert str(refusal.value) == (
        "There is no secret key in the environment (STRIPE_SECRET_KEY__SHOP) or the directory "
        f"{directory} (STRIPE_SECRET_KEY__SHOP) or the file {directory}/shop.json: put the account's live key there."
    )
