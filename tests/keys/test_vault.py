"""What each of Vault's answers means, asked of a real server."""

import json
import secrets

import pytest

from routing.keys.source import KeyRef, Refused, Unavailable
from tests.keys.keyrings import vault_at
from tests.keys.openbao import ROOT, Gate

# Refused


def test_a_missing_path_is_refused(openbao, ref):
    with pytest.raises(Refused, match=f"There is no secret at Vault {ref.path}"):
        vault_at(openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_deleted_version_is_refused_and_an_older_one_not_used(openbao, ref, stored):
    openbao.write(ref.path, secret_key="rk_live_" + secrets.token_hex(16))
    openbao.root().adapter.delete(f"/v1/{ref.path}")

    with pytest.raises(Refused, match=r"newest version of .* is deleted"):
        vault_at(openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_path_that_the_policy_does_not_allow_is_refused(openbao, domain):
    with pytest.raises(Refused, match="Vault denies reading secret/data/other"):
        vault_at(openbao.addr, VAULT_TOKEN=openbao.token()).fetch(KeyRef.for_domain(domain, "secret/data/other"))


def test_a_wrong_token_is_refused(openbao, ref, stored):
    wrong = secrets.token_hex(16)

    with pytest.raises(Refused, match="Vault denies reading") as refusal:
        vault_at(openbao.addr, VAULT_TOKEN=wrong).fetch(ref)

    assert wrong not in str(refusal.value)


def test_a_secret_of_kv_version_1_is_refused(openbao, domain, live_key):
    root = openbao.root()
    root.sys.enable_secrets_engine("kv", path="flat", options={"version": "1"})
    root.adapter.post("/v1/flat/data/keys", json={"secret_key": live_key})

    with pytest.raises(Refused, match="not of KV version 2") as refusal:
        vault_at(openbao.addr, VAULT_TOKEN=ROOT).fetch(KeyRef.for_domain(domain, "flat/data/keys"))

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
def test_a_path_that_is_not_of_kv_version_2_is_never_requested(gate, domain, path):
    with pytest.raises(Refused, match="not a path of KV version 2"):
        vault_at(gate.addr, VAULT_TOKEN=ROOT).fetch(KeyRef.for_domain(domain, path))

    assert gate.requests == []


# Unavailable


def test_a_sealed_vault_is_an_outage(doomed_openbao, ref):
    doomed_openbao.root().sys.seal()

    with pytest.raises(Unavailable, match="is not available \\(503\\)"):
        vault_at(doomed_openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_stopped_vault_is_an_outage(doomed_openbao, ref):
    doomed_openbao.stop()

    with pytest.raises(Unavailable, match="cannot be reached"):
        vault_at(doomed_openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_a_hung_vault_is_an_outage_within_the_timeout(doomed_openbao, ref):
    doomed_openbao.hang()

    with pytest.raises(Unavailable, match="ReadTimeout"):
        vault_at(doomed_openbao.addr, VAULT_TOKEN=ROOT).fetch(ref)


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
def test_a_response_that_is_not_vaults_is_an_outage(gate, ref, status, headers, body):
    gate.answer = (status, headers, body)

    with pytest.raises(Unavailable):
        vault_at(gate.addr, VAULT_TOKEN=ROOT).fetch(ref)


def test_an_unknown_error_in_json_is_refused(gate, ref):
    gate.answer = (400, {"Content-Type": "application/json"}, json.dumps({"errors": ["no"]}).encode())

    with pytest.raises(Refused, match="\\(400\\)"):
        vault_at(gate.addr, VAULT_TOKEN=ROOT).fetch(ref)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_the_token(gate, openbao, ref, status):
    with Gate(openbao.addr).opened() as elsewhere:
        gate.answer = (status, {"Location": f"{elsewhere.addr}/v1/{ref.path}"}, b"")

        with pytest.raises(Unavailable, match="redirects elsewhere"):
            vault_at(gate.addr, VAULT_TOKEN=ROOT).fetch(ref)

    assert len(gate.requests) == 1
    assert elsewhere.requests == []
