"""Stripe's ``expand``: an id is answered as the object it names, and lists that are left out by default are put in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists
from sandbox.errors import invalid
from sandbox.objects import is_left_out

if TYPE_CHECKING:
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
_HIDDEN = {"currency_options", "invoice_credit_balance", "tiers"}


def expanded(work: Work, answer: Json, paths: list[str]) -> Json:
    """Return ``answer`` with every path of ``paths`` expanded; raise a 400 for what cannot be."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise invalid(
                f"You cannot expand more than {_DEEPEST} levels of a property. Property: {path}", param="expand"
            )
        answer = _expanded(work, answer, steps, path)
    return answer


def _expanded(work: Work, found: Any, steps: list[str], path: str) -> Any:
    if isinstance(found, list):
        return [_expanded(work, each, steps, path) for each in found]
    if isinstance(found, str):
        found = work.account.objects.get(found)
    if found is None:
        return None
    if not isinstance(found, dict):
        raise _unexpandable(path)
    if not steps:
        return found
    name, *rest = steps
    inner = _field(work, found, name, path)
    return {**found, name: _expanded(work, inner, rest, path)}


def _field(work: Work, found: Json, name: str, path: str) -> Any:
    belonging = _BELONGING.get((found.get("object", ""), name))
    if name not in found and belonging:
        kind, owner = belonging
        data = [each for each in work.newest_first(kind) if each[owner] == found["id"]]
        return lists.envelope(data, f"/v1/{kind}s?{owner}={found['id']}")
    if name in _HIDDEN and f"sandbox_{name}" in found:
        return found[f"sandbox_{name}"]
    if name not in found or is_left_out(found.get("object", ""), name):
        raise _unexpandable(path)
    value = found[name]
    if isinstance(value, str) and value not in work.account.objects:
        raise _unexpandable(path)
    return value


def _unexpandable(path: str) -> Exception:
    return invalid(f"This property cannot be expanded ({path}).", param="expand")
