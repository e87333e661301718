"""The VAULT_* settings, checked at the start."""

import secrets

import pytest

from routing.errors import KeyUnavailable
from routing.keys import keyring, reset_keyring
from routing.keys.vault import VaultSource
from routing.keys.vault_settings import VaultSettings
from tests.keys.openbao import ROOT


def test_without_an_address_there_is_no_vault():
    assert VaultSettings.from_environ({"VAULT_TOKEN": ROOT}) is None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "set with no way to log in: set one of VAULT_TOKEN"),
        ({"VAULT_TOKEN": ""}, "set with no way to log in"),
        ({"VAULT_TOKEN": "t", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}, "with VAULT_TOKEN and VAULT_ROLE_ID"),
        ({"VAULT_ROLE_ID": "r"}, "Only one of VAULT_ROLE_ID and VAULT_SECRET_ID is set, and both are needed"),
        (
            {"VAULT_TOKEN": "t", "VAULT_SECRET_ID": "s"},
            "Only one of VAULT_ROLE_ID and VAULT_SECRET_ID is set, and both are needed",
        ),
        ({"VAULT_K8S_ROLE": "r", "VAULT_TOKEN": "t"}, "with VAULT_TOKEN and VAULT_K8S_ROLE"),
        (
            {"VAULT_K8S_ROLE": "r"},
            "there is no service account token at /var/run/secrets/kubernetes.io/serviceaccount/token",
        ),
        (
            {"VAULT_K8S_ROLE": "r", "VAULT_K8S_TOKEN_FILE": "/nowhere/token"},
            "there is no service account token at /nowhere/token",
        ),
        (
            {"VAULT_K8S_ROLE": "r", "VAULT_K8S_TOKEN_FILE": "/etc/hosts", "VAULT_K8S_MOUNT": "/a b"},
            "VAULT_K8S_MOUNT is not",
        ),
        ({"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s", "VAULT_APPROLE_MOUNT": "../x"}, "VAULT_APPROLE_MOUNT is not"),
        ({"VAULT_TOKEN": "t\n"}, "VAULT_TOKEN contains a space or a line break"),
        ({"VAULT_TOKEN": "t", "VAULT_CACERT": "/nowhere/ca.pem"}, "VAULT_CACERT is /nowhere/ca.pem"),
        ({"VAULT_TOKEN": "t", "VAULT_ADDR": "vault:8200"}, "VAULT_ADDR is not a URL"),
        ({"VAULT_TOKEN": "t", "VAULT_ADDR": "https://me:pass@vault:8200"}, "VAULT_ADDR is not a URL"),
    ],
)
def test_invalid_settings_are_named_at_startup(settings, sentence):
    with pytest.raises(KeyUnavailable, match=sentence) as refusal:
        VaultSettings.from_environ({"VAULT_ADDR": "https://vault.example:8200", **settings})

    assert "pass" not in str(refusal.value)


@pytest.mark.parametrize("addr", ["http://127.0.0.1:8200", "http://localhost:8200/", "http://[::1]:8200"])
def test_vault_on_this_machine_needs_no_tls(addr):
    settings = VaultSettings.from_environ({"VAULT_ADDR": addr, "VAULT_TOKEN": "t"})

    assert settings
    assert settings.is_on_this_machine


@pytest.mark.parametrize("addr", ["http://vault.example:8200", "http://localhost.evil.example", "http://10.0.0.7:8200"])
def test_vault_elsewhere_is_reached_over_tls_alone(addr):
    with pytest.raises(KeyUnavailable, match="VAULT_ADDR is plain http"):
        VaultSettings.from_environ({"VAULT_ADDR": addr, "VAULT_TOKEN": "t"})


def test_a_sandbox_takes_keys_from_a_vault_on_this_machine_alone(monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example")
    monkeypatch.setenv("VAULT_TOKEN", "t")
    reset_keyring()

    with pytest.raises(
        KeyUnavailable, match=r"^This is a sandbox, .* and not https://vault\.example\. Unset VAULT_ADDR"
    ):
        keyring()


def test_nothing_that_shows_the_source_shows_its_credentials():
    token, secret_id = secrets.token_hex(16), secrets.token_hex(16)
    settings = VaultSettings.from_environ({"VAULT_ADDR": "https://vault.example", "VAULT_TOKEN": token})
    role = VaultSettings.from_environ(
        {"VAULT_ADDR": "https://vault.example", "VAULT_ROLE_ID": "router", "VAULT_SECRET_ID": secret_id}
    )

    shown = f"{settings!r} {role!r} {VaultSource(settings)!r}"

    assert token not in shown
    assert secret_id not in shown
