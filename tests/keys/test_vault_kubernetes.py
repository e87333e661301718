"""A pod's way into Vault: its service account's token, which the cluster is asked about."""

import pytest

from routing.keys.source import Refused, Unavailable
from tests.keys.keyrings import vault_at
from tests.keys.kubernetes import Cluster


@pytest.fixture
def cluster():
    with Cluster().opened() as cluster:
        yield cluster


@pytest.fixture
def file(tmp_path, cluster):
    file = tmp_path / "token"
    file.write_text(cluster.issue())
    return file


def test_a_pod_logs_in_once_for_many_reads(openbao, gate, cluster, file, ref, stored):
    cluster.is_trusted_by(openbao, "pod")
    vault = vault_at(gate.addr, VAULT_K8S_ROLE="pod", VAULT_K8S_TOKEN_FILE=str(file))

    found = [vault.fetch(ref).values["secret_key"] for _ in range(3)]

    assert found == [stored] * 3
    assert gate.paths() == ["/v1/auth/kubernetes/login"] + [f"/v1/{ref.path}"] * 3


def test_the_auth_method_may_be_mounted_elsewhere(openbao, gate, cluster, file, ref, stored):
    cluster.is_trusted_by(openbao, "pod", mount="clusters/east")
    settings = {"VAULT_K8S_ROLE": "pod", "VAULT_K8S_TOKEN_FILE": str(file), "VAULT_K8S_MOUNT": "clusters/east"}

    assert vault_at(gate.addr, **settings).fetch(ref).values["secret_key"] == stored
    assert gate.paths()[0] == "/v1/auth/clusters/east/login"


def test_a_fresh_login_reads_the_token_that_kubernetes_has_rotated(openbao, gate, cluster, file, ref, stored):
    cluster.is_trusted_by(openbao, "pod")
    vault = vault_at(gate.addr, VAULT_K8S_ROLE="pod", VAULT_K8S_TOKEN_FILE=str(file))
    vault.fetch(ref)
    cluster.revoke(file.read_text())
    openbao.root().auth.token.revoke(gate.requests[-1][2]["X-Vault-Token"])

    file.write_text(cluster.issue())

    assert vault.fetch(ref).values["secret_key"] == stored


def test_an_unknown_service_account_is_refused(openbao, cluster, file, ref, stored):
    cluster.is_trusted_by(openbao, "pod")
    cluster.revoke(file.read_text())

    with pytest.raises(Refused, match=r"auth/kubernetes, rejects the login .* check VAULT_K8S_ROLE") as refusal:
        vault_at(openbao.addr, VAULT_K8S_ROLE="pod", VAULT_K8S_TOKEN_FILE=str(file)).fetch(ref)

    assert file.read_text() not in str(refusal.value)


def test_a_token_file_that_is_removed_is_an_outage(openbao, file, ref):
    vault = vault_at(openbao.addr, VAULT_K8S_ROLE="pod", VAULT_K8S_TOKEN_FILE=str(file))
    file.unlink()

    with pytest.raises(Unavailable, match=r"VAULT_K8S_TOKEN_FILE, .* cannot be read"):
        vault.fetch(ref)
