"""The one cache of live keys, and the policy for a source that is unavailable or has no usable key.

==========================================================  =========================================================
what is known                                               what a charge gets
==========================================================  =========================================================
fetched within a minute                                     the key; it is refreshed before it is older
Vault unavailable, the key fetched within the hour          the last good key, with a warning
Vault unavailable for longer                                ``KeyUnavailable``
Vault never responded, and there are baked values           the baked key, with a warning
denied, missing, deleted, malformed, not a live key         ``KeyUnavailable``, also through a later outage, until the
                                                            source has a usable key
==========================================================  =========================================================
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.backoff import backoff_seconds
from routing.errors import KeyUnavailable
from routing.keys.account_keys import AccountKeys
from routing.keys.domain_keys import DomainKeys, KeyState, KeyStatus, RejectedKey
from routing.keys.source import KeyRef, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.keys.secret import Secret
    from routing.keys.source import Source

logger = logging.getLogger(__name__)

FRESH_SECONDS = 60
MAX_RETRY_SECONDS = 60  # the longest pause before a source that fails is queried again
REQUERY_SECONDS = 5  # the shortest pause between two queries that refresh() makes for the same key
WAIT_SECONDS = 5  # how long a caller waits for a query; Vault's own timeouts are shorter
REFRESH_CHECK_SECONDS = 1


class Keyring:
    """Live keys by domain. Nobody waits for a source, except for its first response and in ``refresh``.

    Each query of a source runs on a thread of its own, one at a time for a domain. Threads do not survive a fork, so
    each process creates its own Keyring.
    """

    def __init__(self, vault: Source | None, baked: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = vault or baked
        self._fallback = baked if vault else None
        self._clock = clock
        self._lock = threading.Lock()
        self._domains: dict[str, DomainKeys] = {}
        self._has_responded = False
        self._stopped = threading.Event()

    def load(self, domain: str, path: str = "") -> None:
        """Start to load the domain's keys, so that the first charge need not wait for them."""
        with self._lock:
            self._refresh_if_due(self._entry(KeyRef.for_domain(domain, path)))

    def keys(self, domain: str, path: str = "") -> AccountKeys:
        """Return the domain's live keys; raise ``KeyUnavailable`` if none may be used."""
        with self._lock:
            entry = self._entry(KeyRef.for_domain(domain, path))
            self._refresh_if_due(entry)
            first = entry.refresh if entry.logged is KeyState.NOT_LOADED else None
        if first:
            first.wait(WAIT_SECONDS)
        return self._usable_keys(entry)

    def refresh(self, rejected: AccountKeys) -> AccountKeys:
        """Return the keys to use now that Stripe has rejected one; queries the source unless that was done since.

        Concurrent callers share one query, and a source that fails is not queried before its pause is over.
        """
        for _ in range(2):  # a query that is in flight may have begun before the key was replaced
            with self._lock:
                entry = self._current_entry(rejected)
                in_flight = entry.refresh
                if in_flight is None and self._may_query(entry, rejected.secret_key):
                    self._start_refresh(entry)
                    entry.rejected = RejectedKey(rejected.secret_key, self._clock())
                query = entry.refresh if entry.is_newest(rejected.secret_key) else None
            if query:
                query.wait(WAIT_SECONDS)
            if query is None or in_flight is None:
                break
        return self._usable_keys(entry)

    def account_id(self, keys: AccountKeys) -> str | None:
        """Return the account that the key was seen to open; empty if the key may not read it, None if unknown."""
        with self._lock:
            return self._current_entry(keys).account_ids.get(keys.secret_key)

    def is_rejected(self, keys: AccountKeys) -> bool:
        """Whether Stripe has rejected this key, and has not accepted it since."""
        with self._lock:
            return self._current_entry(keys).is_rejected(keys.secret_key)

    def record_account(self, keys: AccountKeys, account_id: str) -> None:
        """Record that Stripe accepts the key, and which account it opens."""
        with self._lock:
            self._current_entry(keys).record_account(keys.secret_key, account_id)

    def status(self, domain: str) -> KeyStatus:
        """Return what is known about the domain's keys, without querying a source."""
        with self._lock:
            entry = self._domains.get(domain)
            if entry is None:
                return KeyStatus(KeyState.NOT_LOADED, "This process has not needed the domain's keys yet.")
            return entry.status(self._state(entry), self._clock())

    def refresh_due(self) -> None:
        """Start to refresh every entry that is due."""
        with self._lock:
            for entry in self._domains.values():
                self._refresh_if_due(entry)

    def start_background_refresh(self) -> None:
        """Keep every key fresh from now on, also those that no request uses."""
        threading.Thread(target=self._refresh_in_background, name="keyring-background-refresh", daemon=True).start()

    def stop_background_refresh(self) -> None:
        self._stopped.set()

    def _refresh_in_background(self) -> None:
        while not self._stopped.wait(REFRESH_CHECK_SECONDS):
            self.refresh_due()

    def _entry(self, ref: KeyRef) -> DomainKeys:
        entry = self._domains.get(ref.domain)
        if entry is None or entry.ref != ref:
            entry = self._domains[ref.domain] = DomainKeys(ref, due_at=self._clock())
        return entry

    def _current_entry(self, keys: AccountKeys) -> DomainKeys:
        """Return the domain's entry as it is now, even if its row has changed to another path since."""
        return self._domains.get(keys.ref.domain) or self._entry(keys.ref)

    def _state(self, entry: DomainKeys) -> KeyState:
        return entry.state(self._clock(), vault_has_responded=self._has_responded)

    def _usable_keys(self, entry: DomainKeys) -> AccountKeys:
        with self._lock:
            state = self._state(entry)
            keys = entry.usable(state)
        if keys is None:
            raise KeyUnavailable(f"No live key may be used for the domain '{entry.ref.domain}'. {entry.problem(state)}")
        return keys

    def _may_query(self, entry: DomainKeys, rejected: Secret) -> bool:
        if not entry.is_newest(rejected):
            return False
        if entry.failures:
            return self._clock() >= entry.due_at
        if entry.rejected is None or entry.rejected.key != rejected:
            return True
        return self._clock() - entry.rejected.queried_at >= REQUERY_SECONDS

    def _refresh_if_due(self, entry: DomainKeys) -> None:
        if self._clock() >= entry.due_at:
            self._start_refresh(entry)

    def _start_refresh(self, entry: DomainKeys) -> None:
        if entry.refresh:
            return
        finished = threading.Event()
        threading.Thread(target=self._refresh, args=(entry, finished), name="keyring-refresh", daemon=True).start()
        entry.refresh = finished  # after the start, which can fail; the thread cannot finish without the lock

    def _refresh(self, entry: DomainKeys, finished: threading.Event) -> None:
        try:
            self._record(entry, self._query(entry.ref))
        finally:
            with self._lock:
                entry.refresh = None
            finished.set()

    def _query(self, ref: KeyRef) -> AccountKeys | Refused | _Outage:
        try:
            return AccountKeys.from_fetched(ref, self._source.fetch(ref))
        except Refused as refusal:
            return refusal
        except Unavailable as unavailable:
            return self._outage(ref, str(unavailable))
        except Exception as error:  # noqa: BLE001 (an unexpected failure must not end all refreshing)
            return self._outage(ref, f"Fetching the key failed unexpectedly ({type(error).__name__}).")

    def _outage(self, ref: KeyRef, reason: str) -> _Outage:
        if self._fallback is None or self._has_responded:
            return _Outage(reason)
        try:
            return _Outage(reason, AccountKeys.from_fetched(ref, self._fallback.fetch(ref)))
        except Refused as refusal:
            return _Outage(f"{reason} {refusal}")

    def _record(self, entry: DomainKeys, result: AccountKeys | Refused | _Outage) -> None:
        with self._lock:
            before = entry.logged, entry.keys
            match result:
                case AccountKeys():
                    entry.set_loaded(result, self._clock())
                case Refused():
                    entry.set_refused(str(result))
                case _Outage():
                    entry.set_unavailable(result.reason, result.baked)
            self._has_responded = self._has_responded or not isinstance(result, _Outage)
            entry.due_at = self._clock() + _pause_seconds(entry.failures)
            entry.logged = self._state(entry)
            has_changed = before != (entry.logged, entry.keys)
        if has_changed:
            _log_change(entry, entry.logged)


@dataclass(frozen=True, slots=True)
class _Outage:
    reason: str
    baked: AccountKeys | None = None


def _pause_seconds(failures: int) -> float:
    """Return how long to wait before the next query, spread so that processes that started together do not meet."""
    if failures:
        return backoff_seconds(failures, max_seconds=MAX_RETRY_SECONDS)
    return FRESH_SECONDS * random.uniform(0.75, 1)  # noqa: S311 (spreads load, hides nothing)


def _log_change(entry: DomainKeys, state: KeyState) -> None:
    """Log a change once. What stays the same is not repeated; ``status`` returns it at any time."""
    domain, keys, problem = entry.ref.domain, entry.usable(state), entry.problem(state)
    if keys is None:
        logger.error("Domain %s cannot be charged: %s", domain, problem)
    elif problem:
        logger.warning("Domain %s uses its %s key %s: %s", domain, state, keys.fingerprint, problem)
    else:
        version = f"version {keys.version} of " if keys.version else ""
        logger.info("Domain %s uses the key %s, %s%s.", domain, keys.fingerprint, version, keys.source)
    if keys and not keys.is_restricted:
        logger.warning("Domain %s uses a full secret key: replace it with a restricted key (rk_live_).", domain)
