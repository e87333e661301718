"""Says a plan in lines that finance staff can read before it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from routing.registry.yaml.plan import Change, Plan

    _Item = TypeVar("_Item")

MAX_SHOWN = 50
"""Lines of each kind; the others are counted."""

_UNSAID = {"valid_from": "since ever", "valid_until": "until further notice"}


def described(plan: Plan) -> Iterator[str]:
    """Give the plan's lines: ``+`` is added, ``~`` changed from one thing to another, ``-`` removed."""
    yield from _listed("+", plan.domains, "the domain {}: give it its Stripe account in the admin".format)
    yield from _listed("+", plan.added, lambda change: f"{change.place}  {change.new}")
    yield from _listed("~", plan.changed, lambda change: f"{change.place}  {_differences(change)}")
    yield from _listed("-", plan.removed, lambda change: f"{change.place}  {change.old and change.old.term}")
    yield from _listed("-", plan.emptied.bots, "the bot {}, which has no rules left".format)
    yield from _listed("-", plan.emptied.categories, "the business category {}, which has no bots left".format)
    yield from _listed("-", plan.emptied.regions, "the region {}, which has no rules left".format)
    yield f"{len(plan.added):,} added, {len(plan.changed):,} changed, {len(plan.removed):,} removed."
    if plan.unnamed:
        yield (
            f"Routes and overrides in the registry that the file does not have: {plan.unnamed:,}. They stay. "
            "Import with --prune to remove them."
        )


def _listed(sign: str, items: Sequence[_Item], say: Callable[[_Item], str]) -> Iterator[str]:
    for item in items[:MAX_SHOWN]:
        yield f"{sign} {say(item)}"
    if len(items) > MAX_SHOWN:
        yield f"{sign} … and {len(items) - MAX_SHOWN:,} more"


def _differences(change: Change) -> str:
    before = change.old.term.written() if change.old else {}
    after = change.new.written() if change.new else {}
    return ", ".join(
        f"{name}: {_value(name, before)} → {_value(name, after)}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    )


def _value(name: str, written: dict[str, str]) -> str:
    return written.get(name) or _UNSAID.get(name, "as the route")
