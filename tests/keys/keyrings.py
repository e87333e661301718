"""Keyrings of a real server, and what the tests of the cache look at."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING

from routing.keys.baked import BakedSource
from routing.keys.vault import VaultSource
from routing.keys.vault_settings import VaultSettings
from tests.keys.openbao import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

SEALED = (503, {"Content-Type": "application/json"}, b'{"errors":["Vault is sealed"]}')
NOT_BAKED = BakedSource({})


def vault_at(addr: str, clock: Callable[[], float] = time.monotonic, **settings: str) -> VaultSource:
    """Return Vault as a source; by the root token unless the settings say otherwise."""
    found = VaultSettings.from_environ({"VAULT_ADDR": addr, **(settings or {"VAULT_TOKEN": ROOT})})
    assert found is not None
    return VaultSource(found, clock)


def new_key() -> str:
    return "rk_live_" + secrets.token_hex(16)


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Fail if what is inside waited for a source: half a second is less than any of Vault's timeouts."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 0.4


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.levelno >= logging.WARNING]
