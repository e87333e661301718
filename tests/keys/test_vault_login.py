"""Every way into Vault, against a real server, and what follows a token's end."""

import secrets
import threading
import time

import pytest

from routing.keys import AccountKeys
from routing.keys.source import KeyRef, Refused, Unavailable
from routing.keys.vault import TIMEOUT_SECONDS
from tests.keys.keyrings import vault_at
from tests.keys.openbao import ROOT, OpenBao


def test_a_token_reads_the_keys_and_their_version(openbao, ref, live_key):
    signing = ["whsec_" + secrets.token_hex(16), "whsec_" + secrets.token_hex(16)]
    openbao.write(ref.path, secret_key="rk_live_" + secrets.token_hex(16))
    openbao.write(ref.path, secret_key=live_key, webhook_secrets=signing)

    keys = AccountKeys.from_fetched(ref, vault_at(openbao.addr, VAULT_TOKEN=openbao.token()).fetch(ref))

    assert keys.secret_key.reveal() == live_key
    assert [secret.reveal() for secret in keys.webhook_secrets] == signing
    assert (keys.source, keys.version) == (f"Vault {ref.path}", "2")


def test_the_path_of_the_domains_row_is_read(openbao, domain, live_key):
    openbao.write("secret/data/stripe/elsewhere/keys", secret_key=live_key)

    fetched = vault_at(openbao.addr, VAULT_TOKEN=ROOT).fetch(
        KeyRef.for_domain(domain, "secret/data/stripe/elsewhere/keys")
    )

    assert fetched.values["secret_key"] == live_key


def test_a_token_file_may_end_with_a_line_break(openbao, ref, stored, tmp_path):
    file = tmp_path / "token"
    file.write_text(openbao.token() + "\n")

    assert vault_at(openbao.addr, VAULT_TOKEN_FILE=str(file)).fetch(ref).values["secret_key"] == stored


def test_a_token_file_is_read_again_when_its_token_is_denied(openbao, ref, stored, tmp_path):
    file = tmp_path / "token"
    first = openbao.token()
    file.write_text(first)
    vault = vault_at(openbao.addr, VAULT_TOKEN_FILE=str(file))
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
        vault_at(openbao.addr, VAULT_TOKEN_FILE=str(file)).fetch(ref)

    assert "more" not in str(outage.value)


def test_an_approle_logs_in_once_for_many_reads(openbao, gate, ref, stored):
    vault = vault_at(gate.addr, **openbao.app_role("router"))

    found = [vault.fetch(ref).values["secret_key"] for _ in range(3)]

    assert found == [stored] * 3
    assert gate.paths() == ["/v1/auth/approle/login"] + [f"/v1/{ref.path}"] * 3


def test_the_approle_may_be_mounted_elsewhere(openbao, gate, ref, stored):
    role = openbao.app_role("router", mount="teams/billing")

    found = vault_at(gate.addr, **role, VAULT_APPROLE_MOUNT="teams/billing").fetch(ref)

    assert found.values["secret_key"] == stored
    assert gate.paths()[0] == "/v1/auth/teams/billing/login"


def test_threads_that_start_together_share_one_login(openbao, gate, ref, stored):
    vault = vault_at(gate.addr, **openbao.app_role("router"))
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

    found = vault_at(openbao.addr, VAULT_TOKEN=ROOT, VAULT_NAMESPACE="team").fetch(ref)

    assert found.values["secret_key"] == theirs


def test_a_private_ca_is_trusted_only_if_it_is_configured(tmp_path, ref, live_key):
    server = OpenBao(tmp_path, tls=True)
    try:
        server.write(ref.path, secret_key=live_key)

        found = vault_at(server.addr, VAULT_TOKEN=ROOT, VAULT_CACERT=server.cacert).fetch(ref)

        assert found.values["secret_key"] == live_key
        with pytest.raises(Unavailable, match="SSLError"):
            vault_at(server.addr, VAULT_TOKEN=ROOT).fetch(ref)
    finally:
        server.stop()


def test_a_token_in_the_environment_of_the_process_is_not_sent(openbao, gate, ref, stored, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", ROOT)

    vault_at(gate.addr, **openbao.app_role("router")).fetch(ref)

    login, read = (headers for _, _, headers in gate.requests)
    assert "X-Vault-Token" not in login
    assert read["X-Vault-Token"] != ROOT


def test_a_wrong_secret_id_is_refused(openbao, ref, stored):
    wrong = secrets.token_hex(16)

    with pytest.raises(Refused, match="auth/approle, rejects the login") as refusal:
        vault_at(openbao.addr, **{**openbao.app_role("router"), "VAULT_SECRET_ID": wrong}).fetch(ref)

    assert wrong not in str(refusal.value)


# A token's end


def test_a_revoked_token_is_followed_by_one_fresh_login(openbao, gate, ref, stored):
    vault = vault_at(gate.addr, **openbao.app_role("router"))
    vault.fetch(ref)
    openbao.root().auth.token.revoke(gate.requests[-1][2]["X-Vault-Token"])
    gate.requests.clear()

    found = vault.fetch(ref)

    assert found.values["secret_key"] == stored
    assert gate.paths() == [f"/v1/{ref.path}", "/v1/auth/approle/login", f"/v1/{ref.path}"]


def test_a_cached_denial_causes_no_login_until_it_expires(openbao, gate, clock, ref, stored):
    vault = vault_at(gate.addr, clock, **openbao.app_role("router"))
    denied = KeyRef.for_domain("other", "secret/data/other")
    vault.fetch(ref)

    for seconds in (0, 60, 120, 200):
        clock.advance(seconds)
        with pytest.raises(Refused, match="Vault denies reading"):
            vault.fetch(denied)

    logins = [number for number, path in enumerate(gate.paths()) if "login" in path]
    assert logins == [0, 3, 8]  # the first; a try at the first denial; none at 60 and 180 s; one at 380 s


def test_a_fresh_login_that_is_denied_is_not_repeated(openbao, gate, domain):
    vault = vault_at(gate.addr, **openbao.app_role("router"))

    with pytest.raises(Refused):
        vault.fetch(KeyRef.for_domain(domain, "secret/data/other"))

    assert gate.paths() == ["/v1/auth/approle/login", "/v1/secret/data/other"]


def test_paths_that_are_denied_do_not_make_each_other_log_in(openbao, gate, clock, ref, stored):
    vault = vault_at(gate.addr, clock, **openbao.app_role("router"))
    denied = [KeyRef.for_domain(name, f"secret/data/other/{name}") for name in ("first", "second", "third")]

    for _ in range(4):
        vault.fetch(ref)
        for path in denied:
            with pytest.raises(Refused):
                vault.fetch(path)
        clock.advance(60)

    assert gate.paths().count("/v1/auth/approle/login") == 1 + len(denied)


def test_a_token_that_expires_after_a_denial_was_fixed_is_followed_by_a_login(openbao, gate, clock, domain, live_key):
    openbao.write(f"secret/data/late/{domain}", secret_key=live_key)
    vault = vault_at(gate.addr, clock, **openbao.app_role("late-router"))
    late = KeyRef.for_domain(domain, f"secret/data/late/{domain}")
    with pytest.raises(Refused):
        vault.fetch(late)
    openbao.allow("late-router", "secret/data/late/*")
    vault.fetch(late)
    openbao.root().auth.token.revoke(gate.requests[-1][2]["X-Vault-Token"])

    assert vault.fetch(late).values["secret_key"] == live_key


def test_threads_that_wait_for_a_login_that_fails_do_not_repeat_it(openbao, doomed_openbao):
    vault = vault_at(doomed_openbao.addr, **openbao.app_role("router"))
    doomed_openbao.hang()
    outages = []

    def ask(number):
        with pytest.raises(Unavailable) as outage:
            vault.fetch(KeyRef.for_domain(f"shop-{number}"))
        outages.append(str(outage.value))

    started = time.monotonic()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outages) == 8
    assert time.monotonic() - started < 2 * sum(TIMEOUT_SECONDS)
