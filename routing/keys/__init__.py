"""Where live Stripe keys come from: Vault, with the deployment's baked values as its stand-in."""

from __future__ import annotations

import os
import threading

from routing.keys.account_keys import AccountKeys
from routing.keys.baked import BakedSource
from routing.keys.domain_keys import KeyState, KeyStatus
from routing.keys.keyring import Keyring
from routing.keys.secret import Secret
from routing.keys.vault import VaultSource
from routing.keys.vault_settings import VaultSettings

__all__ = ["AccountKeys", "KeyState", "KeyStatus", "Keyring", "Secret", "keyring", "reset_keyring"]

_lock = threading.Lock()
_keyring: Keyring | None = None


def keyring() -> Keyring:
    """Return this process's keyring, made from the environment when it is first asked for.

    Raises ``KeyUnavailable`` if the VAULT_* settings cannot be used as they are.
    """
    global _keyring  # noqa: PLW0603 (one keyring for the process is what this module owns)
    with _lock:
        if _keyring is None:
            vault = VaultSettings.from_environ(os.environ)
            _keyring = Keyring(VaultSource(vault) if vault else None, BakedSource(os.environ))
            _keyring.start_keeper()
        return _keyring


def reset_keyring() -> None:
    """Forget the keyring, so that the next one is made from the environment as it is then."""
    global _keyring  # noqa: PLW0603 (as above)
    with _lock:
        if _keyring is not None:
            _keyring.stop_keeper()
        _keyring = None


def _forget_in_child() -> None:
    """Start anew after a fork: the parent's threads are gone, and its lock may have been held."""
    global _lock, _keyring
    _lock, _keyring = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_in_child)
