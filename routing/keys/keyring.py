"""The one cache of live keys, and the policy for a source that is down or refuses.

==========================================================  =========================================================
what is known                                               what a charge gets
==========================================================  =========================================================
fetched within a minute                                     the key; it is refreshed before it ages
Vault unavailable, the key fetched within the hour          the last good key, with a warning
Vault unavailable for longer                                ``KeyUnavailable``
Vault never answered this process, and baked values exist   the baked key, with a warning
denied, missing, deleted, malformed, not a live key         ``KeyUnavailable``, also through a later outage, until the
                                                            source gives a usable key
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
from routing.keys.domain_keys import DomainKeys, KeyState, KeyStatus
from routing.keys.source import KeyRef, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.keys.secret import Secret
    from routing.keys.source import Source

logger = logging.getLogger(__name__)

FRESH_SECONDS = 60
MAX_RETRY_SECONDS = 60  # the longest pause before the next request to a source that fails
ASKED_AGAIN_SECONDS = 5  # the shortest pause between two questions that refresh() asks about the same key
FIRST_ANSWER_SECONDS = 5  # how long a caller waits while nothing is known; Vault's own timeouts are shorter
KEEPER_SECONDS = 1


class Keyring:
    """Live keys by domain. Nobody waits for a source, except for its first answer and in ``refresh``.

    Every question to a source is asked on a thread of its own, one at a time for a domain. Threads do not survive a
    fork, so that each process makes its own Keyring.
    """

    def __init__(self, vault: Source | None, baked: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = vault or baked
        self._fallback = baked if vault else None
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[str, DomainKeys] = {}
        self._has_answered = False
        self._stopped = threading.Event()

    def load(self, domain: str, path: str = "") -> None:
        """Begin to load the domain's keys, so that the first charge need not wait for them."""
        with self._lock:
            self._refresh_if_due(self._account(KeyRef.to(domain, path)))

    def keys(self, domain: str, path: str = "") -> AccountKeys:
        """Return the domain's live keys; raise ``KeyUnavailable`` if none may be used."""
        with self._lock:
            account = self._account(KeyRef.to(domain, path))
            self._refresh_if_due(account)
            first = account.refresh if account.reported is KeyState.NOT_LOADED else None
        if first:
            first.wait(FIRST_ANSWER_SECONDS)
        return self._usable(account)

    def refresh(self, refused: AccountKeys) -> AccountKeys:
        """Return what may be used now that Stripe has refused a key; the source is asked unless it was since.

        Callers that come together share one question, and a source that fails is still given its pauses.
        """
        for _ in range(2):  # a question that is in flight may have been asked before the key was replaced
            with self._lock:
                account = self._known(refused)
                in_flight = account.refresh
                if in_flight is None and self._may_be_asked(account, refused.secret_key):
                    self._begin_refresh(account)
                    account.doubted = refused.secret_key, self._clock()
                asked = account.refresh if _holds(account, refused.secret_key) else None
            if asked:
                asked.wait(FIRST_ANSWER_SECONDS)
            if asked is None or in_flight is None:
                break
        return self._usable(account)

    def account_of(self, keys: AccountKeys) -> str | None:
        """Return the Stripe account that the key was seen to open, empty where it may not tell; None if unknown."""
        with self._lock:
            return self._known(keys).opened.get(keys.secret_key)

    def is_doubted(self, keys: AccountKeys) -> bool:
        """Say whether Stripe refused this key, and has not accepted it since."""
        with self._lock:
            doubted = self._known(keys).doubted
        return doubted is not None and doubted[0] == keys.secret_key

    def opens(self, keys: AccountKeys, account_id: str) -> None:
        """Remember that Stripe accepts the key, and which account it opens."""
        with self._lock:
            self._known(keys).opens(keys.secret_key, account_id)

    def status(self, domain: str) -> KeyStatus:
        """Say what is known of the domain's keys, without asking any source."""
        with self._lock:
            account = self._accounts.get(domain)
            if account is None:
                return KeyStatus(domain, KeyState.NOT_LOADED, "This process has not needed the domain's keys yet.")
            return account.status(self._state(account), self._clock())

    def refresh_due(self) -> None:
        """Begin to refresh whatever is about to age."""
        with self._lock:
            for account in self._accounts.values():
                self._refresh_if_due(account)

    def start_keeper(self) -> None:
        """Keep every key fresh from now on, also those that nobody asks for."""
        threading.Thread(target=self._keep, name="keyring-keeper", daemon=True).start()

    def stop_keeper(self) -> None:
        self._stopped.set()

    def _keep(self) -> None:
        while not self._stopped.wait(KEEPER_SECONDS):
            self.refresh_due()

    def _account(self, ref: KeyRef) -> DomainKeys:
        account = self._accounts.get(ref.domain)
        if account is None or account.ref != ref:
            account = self._accounts[ref.domain] = DomainKeys(ref, due_at=self._clock())
        return account

    def _known(self, keys: AccountKeys) -> DomainKeys:
        """Return what is known of the domain now, also where its row has named another path since."""
        return self._accounts.get(keys.ref.domain) or self._account(keys.ref)

    def _state(self, account: DomainKeys) -> KeyState:
        return account.state(self._clock(), vault_has_answered=self._has_answered)

    def _usable(self, account: DomainKeys) -> AccountKeys:
        with self._lock:
            state = self._state(account)
            keys = account.usable(state)
        if keys is None:
            raise KeyUnavailable(
                f"No live key may be used for the domain '{account.ref.domain}'. {account.problem(state)}"
            )
        return keys

    def _may_be_asked(self, account: DomainKeys, refused: Secret) -> bool:
        if not _holds(account, refused):
            return False
        if account.failures:
            return self._clock() >= account.due_at
        if account.doubted is None or account.doubted[0] != refused:
            return True
        return self._clock() - account.doubted[1] >= ASKED_AGAIN_SECONDS

    def _refresh_if_due(self, account: DomainKeys) -> None:
        if self._clock() >= account.due_at:
            self._begin_refresh(account)

    def _begin_refresh(self, account: DomainKeys) -> None:
        if account.refresh:
            return
        ended = threading.Event()
        threading.Thread(target=self._refresh, args=(account, ended), name="keyring-refresh", daemon=True).start()
        account.refresh = ended  # after the start, which can fail; the thread cannot end without the lock

    def _refresh(self, account: DomainKeys, ended: threading.Event) -> None:
        try:
            self._settle(account, self._ask(account.ref))
        finally:
            with self._lock:
                account.refresh = None
            ended.set()

    def _ask(self, ref: KeyRef) -> AccountKeys | Refused | _Outage:
        try:
            return AccountKeys.loaded(ref, self._source.fetch(ref))
        except Refused as refusal:
            return refusal
        except Unavailable as unavailable:
            return self._outage(ref, str(unavailable))
        except Exception as error:  # noqa: BLE001 (a failure that nobody foresaw must not end all refreshing)
            return self._outage(ref, f"Asking for the key failed unexpectedly ({type(error).__name__}).")

    def _outage(self, ref: KeyRef, why: str) -> _Outage:
        if self._fallback is None or self._has_answered:
            return _Outage(why)
        try:
            return _Outage(why, AccountKeys.loaded(ref, self._fallback.fetch(ref)))
        except Refused as refusal:
            return _Outage(f"{why} {refusal}")

    def _settle(self, account: DomainKeys, answer: AccountKeys | Refused | _Outage) -> None:
        with self._lock:
            before = account.reported, account.keys
            match answer:
                case AccountKeys():
                    account.loaded(answer, self._clock())
                case Refused():
                    account.refused(str(answer))
                case _Outage():
                    account.unavailable(answer.why, answer.stand_in)
            self._has_answered = self._has_answered or not isinstance(answer, _Outage)
            account.due_at = self._clock() + _pause(account.failures)
            account.reported = self._state(account)
            has_changed = before != (account.reported, account.keys)
        if has_changed:
            _report(account, account.reported)


def _holds(account: DomainKeys, key: Secret) -> bool:
    """Whether the key is still the newest that is known."""
    return account.keys is None or account.keys.secret_key == key


@dataclass(frozen=True, slots=True)
class _Outage:
    why: str
    stand_in: AccountKeys | None = None


def _pause(failures: int) -> float:
    """Seconds until the next question, spread so that processes that started together do not ask together."""
    if failures:
        return backoff_seconds(failures, max_seconds=MAX_RETRY_SECONDS)
    return FRESH_SECONDS * random.uniform(0.75, 1)  # noqa: S311 (spreads load, hides nothing)


def _report(account: DomainKeys, state: KeyState) -> None:
    """Log a change once. What does not change is not repeated; ``status`` tells it whenever it is asked for."""
    domain, keys, problem = account.ref.domain, account.usable(state), account.problem(state)
    if keys is None:
        logger.error("Domain %s cannot be charged: %s", domain, problem)
    elif problem:
        logger.warning("Domain %s uses its %s key %s: %s", domain, state, keys.fingerprint, problem)
    else:
        version = f"version {keys.version} of " if keys.version else ""
        logger.info("Domain %s uses the key %s, %s%s.", domain, keys.fingerprint, version, keys.source)
    if keys and not keys.is_restricted:
        logger.warning("Domain %s uses a full secret key: make a restricted key (rk_live_) in its place.", domain)
