"""One call's work on an account: what it reads, what it changes, what it announces, and how all of that is undone."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.errors import StripeError, missing
from sandbox.objects import made, new_id, public
from sandbox.wheel import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.objects import Json
    from sandbox.store import Account


@dataclass(slots=True)
class Work:
    """Used while the store's lock is held, so that nobody sees half of it."""

    account: Account
    now: int
    request_id: str | None = None
    idempotency_key: str | None = None
    events: list[Json] = field(default_factory=list)
    _before: dict[str, Json | None] = field(default_factory=dict)

    def find(self, kind: str, identifier: str) -> Json | None:
        """Return the account's object, unless there is none or it was deleted."""
        found = self.account.objects.get(identifier)
        return found if found and found["object"] == kind and not found.get("deleted") else None

    def get(self, kind: str, identifier: str, *, param: str, status: int = 400) -> Json:
        """Return the account's object, or raise Stripe's ``resource_missing``."""
        found = self.find(kind, identifier)
        if found is None:
            raise missing(kind, identifier, param=param, status=status)
        return found

    def newest_first(self, kind: str) -> Iterator[Json]:
        identifiers = self.account.by_kind.get(kind, {})
        found = (self.account.objects[identifier] for identifier in reversed(identifiers))
        return (each for each in found if not each.get("deleted"))

    def put(self, found: Json) -> Json:
        identifier = found["id"]
        self._before.setdefault(identifier, self.account.objects.get(identifier))
        self.account.put(found)
        return found

    def change(self, found: Json, **fields: Any) -> Json:
        return self.put({**found, **fields})

    def announce(self, kind: str, about: Json) -> None:
        """Add the event ``kind`` with ``about`` as it is now."""
        event = made(
            "event",
            id=new_id("evt"),
            type=kind,
            created=self.now,
            api_version=API_VERSION,
            data={"object": public(about)},
            pending_webhooks=0,
            request={"id": self.request_id, "idempotency_key": self.idempotency_key},
        )
        self.events.append(self.put(event))

    def changed(self) -> list[Json]:
        return [self.account.objects[identifier] for identifier in self._before]

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo everything where the block fails, unless it fails with a decline, which leaves its traces."""
        try:
            yield
        except StripeError as error:
            if not error.is_stored:
                self.undo()
            raise
        except Exception:
            self.undo()
            raise

    def undo(self) -> None:
        for identifier, before in self._before.items():
            if before is None:
                self.account.remove(self.account.objects[identifier])
            else:
                self.account.put(before)
        self._before.clear()
        self.events.clear()
