"""What the sandbox remembers: accounts with their objects and stored answers, keys, and the one clock."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sandbox.journal import Journal
    from sandbox.objects import Json
    from sandbox.permissions import Level


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer kept under an idempotency key, and what asked for it."""

    fingerprint: str
    status: int
    body: str
    request_id: str
    at: int


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a live key. The key itself is not kept; its SHA-256 is its name."""

    account: str
    last_four: str
    status: Literal["active", "revoked", "expired"] = "active"
    permissions: dict[str, Level] = field(default_factory=dict)
    otherwise: Level = "write"  # what a restricted key may do with resources that its permissions do not name


@dataclass(slots=True)
class Account:
    """One Stripe account. Objects are never changed in place: a change puts a new object under the same id."""

    id: str
    objects: dict[str, Json] = field(default_factory=dict)
    by_kind: dict[str, dict[str, None]] = field(default_factory=dict)
    answers: dict[str, StoredAnswer] = field(default_factory=dict)

    def put(self, found: Json) -> None:
        self.objects[found["id"]] = found
        self.by_kind.setdefault(found["object"], {})[found["id"]] = None

    def remove(self, found: Json) -> None:
        del self.objects[found["id"]]
        del self.by_kind[found["object"]][found["id"]]


class Store:
    """Everything is read and changed while ``lock`` is held; a change is in the journal before the lock is given up."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.lock = RLock()
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, Key] = {}
        self._offset = 0
        self._journal = journal
        try:
            for entry in journal.entries() if journal else ():
                self._apply(entry)
        except (KeyError, TypeError) as error:
            raise ValueError(
                "Another version of the sandbox wrote its state file. Delete that and start again."
            ) from error

    def now(self) -> int:
        """Return the sandbox's time in seconds: the machine's, and whatever it was moved by."""
        return int(time.time()) + self._offset

    def advance_clock(self, seconds: int) -> None:
        self._record({"clock": self._offset + seconds})

    def account(self, account_id: str) -> Account:
        return self.accounts.setdefault(account_id, Account(account_id))

    def keep_key(self, digest: str, key: Key) -> None:
        self._record({"key": digest, "is": asdict(key)})

    def keep(self, account: Account, changed: list[Json], name: str | None, answer: StoredAnswer | None) -> None:
        """Make one call's changes and its stored answer last, both or neither."""
        stored = [name, asdict(answer)] if name and answer else None
        if changed or stored:
            self._record({"account": account.id, "objects": changed, "stored": stored})

    def clear(self) -> None:
        with self.lock:
            self.accounts.clear()
            self.keys.clear()
            self._offset = 0
            if self._journal:
                self._journal.clear()

    def _record(self, entry: dict[str, Any]) -> None:
        with self.lock:
            if self._journal:
                self._journal.append(entry)
            self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> None:
        if "clock" in entry:
            self._offset = entry["clock"]
        elif "key" in entry:
            self.keys[entry["key"]] = Key(**entry["is"])
        else:
            account = self.account(entry["account"])
            for changed in entry["objects"]:
                account.put(changed)
            if entry["stored"]:
                name, answer = entry["stored"]
                account.answers[name] = StoredAnswer(**answer)
