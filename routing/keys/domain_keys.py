"""What one process knows of one domain's keys, and what that allows."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from routing.keys.account_keys import AccountKeys
    from routing.keys.secret import Secret
    from routing.keys.source import KeyRef

LAST_GOOD_SECONDS = 3600  # for so long after it was fetched, a key outlives its source's outage
_REMEMBERED = 4  # keys whose account is known: this one, and those that calls in flight may still hold


class KeyState(enum.StrEnum):
    NOT_LOADED = "not loaded"
    FRESH = "fresh"
    LAST_GOOD = "last good"  # the source is unavailable; what it said before is used for a while
    BAKED = "baked"  # Vault has never answered; the baked key stands in
    CLOSED = "closed"  # the source is unavailable, and there is nothing that may be used
    REFUSED = "refused"  # the source gives no usable key; no outage afterwards changes that


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What people may know of a domain's keys: everything but the values."""

    domain: str
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


@dataclass(slots=True)
class DomainKeys:
    """The keyring's memory of a domain. Times are the keyring's clock; the keyring's lock guards every change.

    At most one of ``refusal`` and ``outage`` is set: the sentence that says what was wrong with the last answer.
    """

    ref: KeyRef
    keys: AccountKeys | None = None
    stand_in: AccountKeys | None = None
    refusal: str = ""
    outage: str = ""
    failures: int = 0
    fetched_at: float = 0.0
    due_at: float = 0.0
    refresh: threading.Event | None = None  # of the refresh in flight; set when that ends
    reported: KeyState = KeyState.NOT_LOADED
    doubted: tuple[Secret, float] | None = None  # the key that Stripe refused last, and when the source was asked
    opened: dict[Secret, str] = field(default_factory=dict)  # which Stripe account a key was seen to open

    def loaded(self, keys: AccountKeys, now: float) -> None:
        self.keys, self.stand_in, self.fetched_at = keys, None, now
        self.refusal, self.outage, self.failures = "", "", 0

    def refused(self, refusal: str) -> None:
        self.keys = self.stand_in = None
        self.refusal, self.outage = refusal, ""
        self.failures += 1

    def unavailable(self, outage: str, stand_in: AccountKeys | None) -> None:
        self.failures += 1
        if not self.refusal:
            self.outage, self.stand_in = outage, stand_in

    def opens(self, key: Secret, account_id: str) -> None:
        self.opened = dict([*self.opened.items(), (key, account_id)][-_REMEMBERED:])
        if self.doubted and self.doubted[0] == key:
            self.doubted = None

    def state(self, now: float, *, vault_has_answered: bool) -> KeyState:
        if self.refusal:
            return KeyState.REFUSED
        if self.keys and now - self.fetched_at > LAST_GOOD_SECONDS:
            return KeyState.CLOSED
        if self.keys:
            return KeyState.LAST_GOOD if self.outage else KeyState.FRESH
        if self.stand_in and not vault_has_answered:
            return KeyState.BAKED
        return KeyState.CLOSED if self.outage else KeyState.NOT_LOADED

    def usable(self, state: KeyState) -> AccountKeys | None:
        if state in {KeyState.FRESH, KeyState.LAST_GOOD}:
            return self.keys
        return self.stand_in if state is KeyState.BAKED else None

    def problem(self, state: KeyState) -> str:
        """Say what is wrong, in whole sentences; nothing if all is well."""
        if state is KeyState.NOT_LOADED:
            return "The key source has not responded yet. Try again in a few seconds."
        if state is KeyState.CLOSED and self.keys:
            return f"The last good key was fetched over {LAST_GOOD_SECONDS // 60} minutes ago. {self.outage}".rstrip()
        return self.refusal or self.outage

    def status(self, state: KeyState, now: float) -> KeyStatus:
        keys = self.usable(state) or self.keys
        problem, next_refresh = self.problem(state), _wall_time(self.due_at - now)
        if not keys:
            return KeyStatus(self.ref.domain, state, problem, next_refresh=next_refresh)
        return KeyStatus(
            domain=self.ref.domain,
            state=state,
            problem=problem,
            source=keys.source,
            version=keys.version,
            fingerprint=keys.fingerprint,
            is_restricted=keys.is_restricted,
            has_public_key=keys.public_key is not None,
            webhook_secrets=len(keys.webhook_secrets),
            account_id=self.opened.get(keys.secret_key, ""),
            fetched_at=_wall_time(self.fetched_at - now) if keys is self.keys else None,
            next_refresh=next_refresh,
        )


def _wall_time(seconds_from_now: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds_from_now)
