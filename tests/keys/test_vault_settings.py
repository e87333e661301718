"""The VAULT_* settings, checked at the start."""

import secrets

import pytest

from routing.errors import KeyUnavailable
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


def test_an_address_without_tls_logs_a_warning_unless_it_is_this_machine(caplog):
    for addr in ("http://127.0.0.1:8200", "http://localhost:8200/", "https://vault.example"):
        VaultSettings.from_environ({"VAULT_ADDR": addr, "VAULT_TOKEN": "t"})
    assert caplog.text == ""

    VaultSettings.from_environ({"VAULT_ADDR": "http://vault.example:8200", "VAULT_TOKEN": "t"})

    assert "unencrypted" in caplog.text


def test_nothing_that_shows_the_source_shows_its_credentials():
    token, secret_id = secrets.token_hex(16), secrets.token_hex(16)
    settings = VaultSettings.from_environ({"VAULT_ADDR": "https://vault.example", "VAULT_TOKEN": token})
    role = VaultSettings.from_environ(
        {"VAULT_ADDR": "https://vault.example", "VAULT_ROLE_ID": "router", "VAULT_SECRET_ID": secret_id}
    )

    shown = f"{settings!r} {role!r} {VaultSource(settings)!r}"

    assert token not in shown
    assert secret_id not in shown
