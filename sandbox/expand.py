"""Stripe's ``expand``: an id is answered as the object it names, and lists that are left out by default are put in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox import lists
from sandbox.errors import invalid
from sandbox.objects import is_left_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.objects import Json
    from sandbox.work import Work

_DEEPEST = 4  # Stripe's limit

# The lists that are left out unless asked for: (object, field) -> kind of the entries, and their field that names it.
_BELONGING = {
    ("charge", "refunds"): ("refund", "charge"),
    ("checkout.session", "line_items"): ("item", "sandbox_session"),
    ("customer", "subscriptions"): ("subscription", "customer"),
    ("invoice", "payments"): ("invoice_payment", "invoice"),
}

# What is left out unless it is expanded, and is kept in a note of the sandbox's own.
_HIDDEN = {"applies_to", "confirmation_secret", "currency_options", "invoice_credit_balance", "tiers"}


def expanded(work: Work, answer: Json, paths: list[str], check_read: Callable[[str], None]) -> Json:
    """Return ``answer`` with every path of ``paths`` expanded; raise a 400 for what cannot be.

    ``check_read`` raises where the caller may not read a kind of object.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise invalid(
                f"You cannot expand more than {_DEEPEST} levels of a property. Property: {path}", param="expand"
            )
        answer = _Expansion(work, path, check_read).of(answer, steps)
    return answer


@dataclass(frozen=True, slots=True)
class _Expansion:
    """One path being expanded."""

    work: Work
    path: str
    check_read: Callable[[str], None]

    def of(self, found: Any, steps: list[str]) -> Any:
        if isinstance(found, list):
            return [self.of(each, steps) for each in found]
        if isinstance(found, str):
            found = self._read(found)
        if found is None:
            return None
        if not isinstance(found, dict):
            raise self._refusal()
        if not steps:
            return found
        name, *rest = steps
        return {**found, name: self.of(self._field(found, name), rest)}

    def _field(self, found: Json, name: str) -> Any:
        belonging = _BELONGING.get((found.get("object", ""), name))
        if name not in found and belonging:
            kind, owner = belonging
            self.check_read(kind)
            data = [each for each in self.work.newest_first(kind) if each[owner] == found["id"]]
            return lists.envelope(data, f"/v1/{kind}s?{owner}={found['id']}")
        if name in _HIDDEN and f"sandbox_{name}" in found:
            return found[f"sandbox_{name}"]
        if name not in found or is_left_out(found.get("object", ""), name):
            raise self._refusal()
        value = found[name]
        if isinstance(value, str) and value not in self.work.account.objects:
            raise self._refusal()
        return value

    def _read(self, identifier: str) -> Json | None:
        named = self.work.account.objects.get(identifier)
        if named:
            self.check_read(named["object"])
        return named

    def _refusal(self) -> Exception:
        return invalid(f"This property cannot be expanded ({self.path}).", param="expand")
