"""What one process knows about one domain's keys, and which of them may be used."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    import threading

    from routing.keys.account_keys import AccountKeys
    from routing.keys.secret import Secret
    from routing.keys.source import KeyRef

LAST_GOOD_SECONDS = 3600  # how long after it was fetched a key is used through an outage of its source
_ACCOUNTS_KEPT = 4  # keys whose account is known: the current one, and those that calls in flight may still use


class KeyState(enum.StrEnum):
    NOT_LOADED = "not loaded"
    FRESH = "fresh"
    LAST_GOOD = "last good"  # the source is unavailable; the key that it returned last is used for a while
    BAKED = "baked"  # Vault has never responded; the baked key is used
    UNAVAILABLE = "unavailable"  # the source is unavailable, and no key may be used
    REFUSED = "refused"  # the source has no usable key; an outage afterwards changes nothing


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What may be shown of a domain's keys: everything but the values."""

    state: KeyState
    problem: str = ""
    source: str = ""
    version: str | None = None
    fingerprint: str = ""
    is_restricted: bool = False
    has_public_key: bool = False
    webhook_secrets: int = 0
    account_id: str = ""
    fetched_at: datetime | None = None
    next_refresh: datetime | None = None


@dataclass(frozen=True, slots=True)
class RejectedKey:
    """The key that Stripe rejected last, and when the source was queried for a newer one."""

    key: Secret
    queried_at: float


@dataclass(slots=True)
class DomainKeys:
    """A domain's entry in the keyring. Times are by the keyring's clock; the keyring's lock guards every change.

    At most one of ``refusal`` and ``outage`` is set: the sentence that says what was wrong with the last fetch.
    """

    ref: KeyRef
    keys: AccountKeys | None = None
    baked: AccountKeys | None = None
    refusal: str = ""
    outage: str = ""
    failures: int = 0
    fetched_at: float = 0.0
    due_at: float = 0.0
    refresh: threading.Event | None = None  # of the refresh in flight; set when that ends
    logged: KeyState = KeyState.NOT_LOADED
    rejected: RejectedKey | None = None
    account_ids: LRUCache[Secret, str] = field(default_factory=lambda: LRUCache(maxsize=_ACCOUNTS_KEPT))

    def set_loaded(self, keys: AccountKeys, now: float) -> None:
        self.keys, self.baked, self.fetched_at = keys, None, now
        self.refusal, self.outage, self.failures = "", "", 0

    def set_refused(self, refusal: str) -> None:
        self.keys = self.baked = None
        self.refusal, self.outage = refusal, ""
        self.failures += 1

    def set_unavailable(self, outage: str, baked: AccountKeys | None) -> None:
        self.failures += 1
        if not self.refusal:
            self.outage, self.baked = outage, baked

    def record_account(self, key: Secret, account_id: str) -> None:
        self.account_ids[key] = account_id
        if self.is_rejected(key):
            self.rejected = None

    def is_rejected(self, key: Secret) -> bool:
        return self.rejected is not None and self.rejected.key == key

    def is_newest(self, key: Secret) -> bool:
        """Whether no other key has been fetched since."""
        return self.keys is None or self.keys.secret_key == key

    def state(self, now: float, *, vault_has_responded: bool) -> KeyState:
        if self.refusal:
            return KeyState.REFUSED
        if self.keys and now - self.fetched_at > LAST_GOOD_SECONDS:
            return KeyState.UNAVAILABLE
        if self.keys:
            return KeyState.LAST_GOOD if self.outage else KeyState.FRESH
        if self.baked and not vault_has_responded:
            return KeyState.BAKED
        return KeyState.UNAVAILABLE if self.outage else KeyState.NOT_LOADED

    def usable(self, state: KeyState) -> AccountKeys | None:
        if state in {KeyState.FRESH, KeyState.LAST_GOOD}:
            return self.keys
        return self.baked if state is KeyState.BAKED else None

    def problem(self, state: KeyState) -> str:
        """Return what is wrong, in whole sentences; empty if nothing is."""
        if state is KeyState.NOT_LOADED:
            return "The key source has not responded yet. Try again in a few seconds."
        if state is KeyState.UNAVAILABLE and self.keys:
            return f"The last good key was fetched over {LAST_GOOD_SECONDS // 60} minutes ago. {self.outage}".rstrip()
        return self.refusal or self.outage

    def status(self, state: KeyState, now: float) -> KeyStatus:
        keys = self.usable(state) or self.keys
        problem, next_refresh = self.problem(state), _wall_time(self.due_at - now)
        if not keys:
            return KeyStatus(state, problem, next_refresh=next_refresh)
        return KeyStatus(
            state=state,
            problem=problem,
            source=keys.source,
            version=keys.version,
            fingerprint=keys.fingerprint,
            is_restricted=keys.is_restricted,
            has_public_key=keys.public_key is not None,
            webhook_secrets=len(keys.webhook_secrets),
            account_id=self.account_ids.get(keys.secret_key, ""),
            fetched_at=_wall_time(self.fetched_at - now) if keys is self.keys else None,
            next_refresh=next_refresh,
        )


def _wall_time(seconds_from_now: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds_from_now)
