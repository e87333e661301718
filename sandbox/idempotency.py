"""Stripe's idempotency keys: a call that began is answered once, and the same answer is given to every repeat."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sandbox.errors import StripeError, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.store import Account, Store, StoredAnswer

KEPT = 24 * 60 * 60  # seconds of the sandbox's clock; after that the same key is a new request
_LONGEST = 255  # characters


def fingerprint(method: str, path: str, params: dict[str, Any]) -> str:
    """Return what makes two requests the same one: the endpoint and every parameter, in any order."""
    asked = json.dumps([method, path, params], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


class Idempotency:
    """Which keys are in flight. What was answered lies with the account."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_flight: set[tuple[str, str]] = set()

    @contextmanager
    def claimed(self, account: Account, key: str | None, asked: str) -> Iterator[StoredAnswer | None]:
        """Hold ``key`` while the block runs. Where a stored answer is given, nothing may be done again."""
        if key is None:
            yield None
            return
        if len(key) > _LONGEST:
            raise invalid(f"The Idempotency-Key is longer than {_LONGEST} characters.")
        with self._store.lock:
            stored = self._claim(account, key, asked)
        try:
            yield stored
        finally:
            if stored is None:
                with self._store.lock:
                    self._in_flight.discard((account.id, key))

    def _claim(self, account: Account, key: str, asked: str) -> StoredAnswer | None:
        if (account.id, key) in self._in_flight:
            raise StripeError(
                409,
                "idempotency_error",
                f"There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}.",
                code="idempotency_key_in_use",
            )
        stored = account.answers.get(key)
        if stored is None or self._store.now() - stored.at >= KEPT:
            self._in_flight.add((account.id, key))
            return None
        if stored.fingerprint != asked:
            raise StripeError(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used for the same endpoint and with the same parameters "
                f"they were first used with. Try using a key other than '{key}' if you meant to execute a different "
                "request.",
            )
        return stored
