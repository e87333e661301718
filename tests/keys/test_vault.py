"""Vault against a real server: every way in, and what each answer means."""

import json
import secrets
import threading

import pytest

from routing.errors import KeyUnavailable
from routing.keys import AccountKeys
from routing.keys.source import KeyRef, Refused, Unavailable
from routing.keys.vault import VaultSettings, VaultSource
from tests.keys.openbao import ROOT, Gate, OpenBao


def source(addr: str, clock=None, **settings: str) -> VaultSource:
    found = VaultSettings.from_environ({"VAULT_ADDR": addr, **settings})
    assert found is not None
    return VaultSource(found, *([clock] if clock else []))


@pytest.fixture
def ref(domain):
    return KeyRef.to(domain)


@pytest.fixture
def stored(openbao, ref, live_key):
    """Write a domain's key to Vault."""
    openbao.write(ref.path, secret_key=live_key)
    return live_key


# The ways in


def test_a_token_reads_the_keys_and_their_version(openbao, ref, live_key):
    signing = ["whsec_" + secrets.token_hex(16), "whsec_" + secrets.token_hex(16)]
    openbao.write(ref.path, secret_key="rk_live_" + secrets.token_hex(16))
    openbao.write(ref.path, secret_key=live_key, webhook_secrets=signing)

    keys = AccountKeys.loaded(source(openbao.addr, VAULT_TOKEN=openbao.token()).fetch(ref))

    assert keys.secret_key.reveal() == live_key
    assert [secret.reveal() for secret in keys.webhook_secrets] == signing
    assert (keys.source, keys.version) == (f"Vault {ref.path}", "2")


def test_the_path_of_the_domains_row_is_read(openbao, domain, live_key):
    openbao.write("secret/data/stripe/elsewhere/keys", secret_key=live_key)

    fetched = source(openbao.addr, VAULT_TOKEN=ROOT).fetch(KeyRef.to(domain, "secret/data/stripe/elsewhere/keys"))

    assert fetched.values["secret_key"] == live_key


def test_a_token_file_may_end_with_a_line_break(openbao, ref, stored, tmp_path):
    file = tmp_path / "token"
    file.write_text(openbao.token() + "\n")

    assert source(openbao.addr, VAULT_TOKEN_FILE=str(file)).fetch(ref).values["secret_key"] == stored


def test_a_token_file_is_read_again_when_its_token_is_denied(openbao, ref, stored, tmp_path):
    file = tmp_path / "token"
    first = openbao.token()
    file.write_text(first)
    vault = source(openbao.addr, VAULT_TOKEN_FILE=str(file))
    vault.fetch(ref)

    openbao.root().auth.token.revoke(first)
    file.write_text(openbao.token())

    assert vault.fetch(ref).values["secret_key"] == stored


@pytest.mark.parametrize("content", ["", "a token\nand more", None])
def test_a_token_file_without_a_token_is_an_outage(openbao, ref, stored, tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)

    with pytest.raises(Unavailable, match="VAULT_TOKEN_FILE") as outage:
        source(openbao.addr, VAULT_TOKEN_FILE=str(file)).fetch(ref)

    assert "more" not in str(outage.value)


def test_an_approle_logs_in_once_for_many_reads(openbao, gate, ref, stored):
    vault = source(gate.addr, **openbao.app_role("router"))

    found = [vault.fetch(ref).values["secret_key"] for _ in range(3)]

    assert found == [stored] * 3
    assert gate.paths() == ["/v1/auth/approle/login"] + [f"/v1/{ref.path}"] * 3


def test_threads_that_start_together_share_one_login(openbao, gate, ref, stored):
    vault = source(gate.addr, **openbao.app_role("router"))
    threads = [threading.Thread(target=vault.fetch, args=(ref,)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert gate.paths().count("/v1/auth/approle/login") == 1


def test_a_namespace_is_its_own(openbao, ref, stored):
    root = openbao.root()
    root.adapter.post("/v1/sys/namespaces/team")
    team = openbao.root(namespace="team")
    team.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    theirs = "rk_live_" + secrets.token_hex(16)
    team.adapter.post(f"/v1/{ref.path}", json={"data": {"secret_key": theirs}})

    found = source(openbao.addr, VAULT_TOKEN=ROOT, VAULT_NAMESPACE="team").fetch(ref)

    assert found.values["secret_key"] == theirs


def test_a_private_ca_is_trusted_only_if_it_is_named(tmp_path, ref, live_key):
    server = OpenBao(tmp_path, tls=True)
    try:
        server.write(ref.path, secret_key=live_key)

        found = source(server.addr, VAULT_TOKEN=ROOT, VAULT_CACERT=server.cacert).fetch(ref)

        assert found.values["secret_key"] == live_key
        with pytest.raises(Unavailable, match="SSLError"):
            source(server.addr, VAULT_TOKEN=ROOT).fetch(ref)
    finally:
        server.stop()


def test_a_token_of_the_surroundings_is_not_sent(openbao, gate, ref, stored, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", ROOT)

    source(gate.addr, **openbao.app_role("router")).fetch(ref)

    login, read = (headers for _, _, headers in gate.requests)
    assert "X-Vault-Token" not in login
    assert read["X-Vault-Token"] != ROOT


def test_a_wrong_secret_id_is_refused(openbao, ref, stored):
    wrong = secrets.token_hex(16)

    with pytest.raises(Refused, match="refuses the AppRole login") as refusal:
        source(openbao.addr, **{**openbao.app_role("router"), "VAULT_SECRET_ID": wrong}).fetch(ref)

    assert wrong not in str(refusal.value)


# Refused


def test_a_missing_path_is_refused(openbao, ref):
    with pytest.raises(Refused, match=f"There is nothing at Vault {ref.path}"):
        source(openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_deleted_version_is_refused_and_an_older_one_not_taken(openbao, ref, stored):
    openbao.write(ref.path, secret_key="rk_live_" + secrets.token_hex(16))
    openbao.root().adapter.delete(f"/v1/{ref.path}")

    with pytest.raises(Refused, match=r"newest version of .* is deleted"):
        source(openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_path_that_the_policy_does_not_allow_is_refused(openbao, domain):
    with pytest.raises(Refused, match="Vault denies reading secret/data/other"):
        source(openbao.addr, VAULT_TOKEN=openbao.token()).fetch(KeyRef.to(domain, "secret/data/other"))


def test_a_wrong_token_is_refused(openbao, ref, stored):
    wrong = secrets.token_hex(16)

    with pytest.raises(Refused, match="Vault denies reading") as refusal:
        source(openbao.addr, VAULT_TOKEN=wrong).fetch(ref)

    assert wrong not in str(refusal.value)


def test_a_secret_of_kv_version_1_is_refused(openbao, domain, live_key):
    root = openbao.root()
    root.sys.enable_secrets_engine("kv", path="flat", options={"version": "1"})
    root.adapter.post("/v1/flat/data/keys", json={"secret_key": live_key})

    with pytest.raises(Refused, match="not a KV version 2 secret") as refusal:
        source(openbao.addr, VAULT_TOKEN=ROOT).fetch(KeyRef.to(domain, "flat/data/keys"))

    assert live_key not in str(refusal.value)


@pytest.mark.parametrize(
    "path",
    [
        "secret/stripe/shop",
        "/secret/data/shop",
        "secret/data/../../sys/raw/x",
        "secret/data/shop?version=1",
        "secret/data/shop\n",
        "secret/data/",
    ],
)
def test_a_path_that_is_none_of_kv_version_2_is_never_asked_for(gate, domain, path):
    with pytest.raises(Refused, match="not a path in KV version 2"):
        source(gate.addr, VAULT_TOKEN=ROOT).fetch(KeyRef.to(domain, path))

    assert gate.requests == []


# A token's end


def test_a_revoked_token_is_followed_by_one_fresh_login(openbao, gate, ref, stored):
    vault = source(gate.addr, **openbao.app_role("router"))
    vault.fetch(ref)
    openbao.root().auth.token.revoke(gate.requests[-1][2]["X-Vault-Token"])
    gate.requests.clear()

    found = vault.fetch(ref)

    assert found.values["secret_key"] == stored
    assert gate.paths() == [f"/v1/{ref.path}", "/v1/auth/approle/login", f"/v1/{ref.path}"]


def test_a_known_denial_brings_no_login_until_it_is_old(openbao, gate, clock, ref, stored):
    vault = source(gate.addr, clock, **openbao.app_role("router"))
    denied = KeyRef.to("other", "secret/data/other")
    vault.fetch(ref)

    for seconds in (0, 60, 120, 200):
        clock.advance(seconds)
        with pytest.raises(Refused, match="Vault denies reading"):
            vault.fetch(denied)

    logins = [number for number, path in enumerate(gate.paths()) if "login" in path]
    assert logins == [0, 3, 8]  # the first; a try at the first denial; none at 60 and 180 s; one at 380 s


def test_a_fresh_login_that_is_denied_is_not_repeated(openbao, gate, domain):
    vault = source(gate.addr, **openbao.app_role("router"))

    with pytest.raises(Refused):
        vault.fetch(KeyRef.to(domain, "secret/data/other"))

    assert gate.paths() == ["/v1/auth/approle/login", "/v1/secret/data/other"]


# Unavailable


def test_a_sealed_vault_is_an_outage(doomed_openbao, ref):
    doomed_openbao.root().sys.seal()

    with pytest.raises(Unavailable, match="cannot answer now \\(503\\)"):
        source(doomed_openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_stopped_vault_is_an_outage(doomed_openbao, ref):
    doomed_openbao.stop()

    with pytest.raises(Unavailable, match="cannot be reached"):
        source(doomed_openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_hung_vault_is_an_outage_within_the_timeout(doomed_openbao, ref):
    doomed_openbao.hang()

    with pytest.raises(Unavailable, match="ReadTimeout"):
        source(doomed_openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {}, b"<html>Welcome</html>"),
        (200, {"Content-Type": "application/json"}, b"[]"),
        (204, {}, b""),
        (403, {}, b"<html>Blocked</html>"),
        (404, {}, b"no such host"),
        (429, {}, b"{}"),
        (500, {}, b"{}"),
        (502, {}, b"<html>Bad Gateway</html>"),
        (200, {"Content-Encoding": "gzip"}, b"not zipped"),
    ],
)
def test_what_is_not_vaults_own_answer_is_an_outage(gate, ref, status, headers, body):
    gate.answer = (status, headers, body)

    with pytest.raises(Unavailable):
        source(gate.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_refusal_in_json_that_is_on_no_list_is_refused(gate, ref):
    gate.answer = (400, {"Content-Type": "application/json"}, json.dumps({"errors": ["no"]}).encode())

    with pytest.raises(Refused, match="\\(400\\)"):
        source(gate.addr, VAULT_TOKEN=ROOT).fetch(ref)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_takes_no_token_along(gate, openbao, ref, status):
    with Gate(openbao.addr).opened() as elsewhere:
        gate.answer = (status, {"Location": f"{elsewhere.addr}/v1/{ref.path}"}, b"")

        with pytest.raises(Unavailable, match="points elsewhere"):
            source(gate.addr, VAULT_TOKEN=ROOT).fetch(ref)

    assert len(gate.requests) == 1
    assert elsewhere.requests == []


# Settings


def test_without_an_address_there_is_no_vault():
    assert VaultSettings.from_environ({"VAULT_TOKEN": ROOT}) is None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "set with no way to log in: set one of VAULT_TOKEN"),
        ({"VAULT_TOKEN": ""}, "set with no way to log in"),
        ({"VAULT_TOKEN": "t", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}, "with VAULT_TOKEN and VAULT_ROLE_ID"),
        ({"VAULT_ROLE_ID": "r"}, "belong together, and only one is set"),
        ({"VAULT_TOKEN": "t", "VAULT_SECRET_ID": "s"}, "belong together, and only one is set"),
        ({"VAULT_TOKEN": "t\n"}, "VAULT_TOKEN holds a space or a line break"),
        ({"VAULT_TOKEN": "t", "VAULT_CACERT": "/nowhere/ca.pem"}, "VAULT_CACERT names /nowhere/ca.pem"),
        ({"VAULT_TOKEN": "t", "VAULT_ADDR": "vault:8200"}, "VAULT_ADDR is not an address"),
        ({"VAULT_TOKEN": "t", "VAULT_ADDR": "https://me:pass@vault:8200"}, "VAULT_ADDR is not an address"),
    ],
)
def test_settings_that_cannot_be_used_are_named_at_the_start(settings, sentence):
    with pytest.raises(KeyUnavailable, match=sentence) as refusal:
        VaultSettings.from_environ({"VAULT_ADDR": "https://vault.example:8200", **settings})

    assert "pass" not in str(refusal.value)


def test_an_address_without_tls_is_warned_about_unless_it_is_this_machine(caplog):
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
