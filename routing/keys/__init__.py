"""Where live Stripe keys come from: Vault, or the deployment's baked values until Vault has first answered."""

from __future__ import annotations

import os
import threading

from django.conf import settings

from routing.errors import KeyUnavailable
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
    """Return this process's keyring, created from the environment on first use.

    Raises ``KeyUnavailable`` where the VAULT_* settings are invalid.
    """
    global _keyring  # noqa: PLW0603 (one keyring for the process is what this module owns)
    with _lock:
        if _keyring is None:
            vault = VaultSettings.from_environ(os.environ)
            if vault and settings.IS_SANDBOX and not vault.is_on_this_machine:
                raise KeyUnavailable(
                    f"This is a sandbox, which takes keys only from a Vault on this machine, and not {vault.addr}. "
                    "Unset VAULT_ADDR, or run the router with BILLING_ROUTER_ENV=production."
                )
            _keyring = Keyring(VaultSource(vault) if vault else None, BakedSource(os.environ))
            _keyring.start_background_refresh()
        return _keyring


def reset_keyring() -> None:
    """Drop the keyring; the next call of ``keyring`` creates one from the environment as it is then."""
    global _keyring  # noqa: PLW0603 (as above)
    with _lock:
        if _keyring is not None:
            _keyring.stop_background_refresh()
        _keyring = None


def _reset_after_fork() -> None:
    """Start empty in a child process: the parent's threads do not run in it, and its lock may have been held."""
    global _lock, _keyring
    _lock, _keyring = threading.Lock(), None


os.register_at_fork(after_in_child=_reset_after_fork)
