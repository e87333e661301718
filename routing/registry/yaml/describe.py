"""Describes a plan in lines that finance staff can read before it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from routing.registry.yaml.plan import Change, Plan

    _Item = TypeVar("_Item")

MAX_SHOWN = 50
"""Lines of each kind; the rest is counted."""

_UNSET = {"valid_from": "no start", "valid_until": "no end"}


def describe_plan(plan: Plan) -> Iterator[str]:
    """Yield the plan's lines: ``+`` is added, ``~`` is changed, ``-`` is removed."""
    yield from _list("+", plan.domains, "the domain {}: set its Stripe account in the admin".format)
    yield from _list("+", plan.added, lambda change: f"{change.key}  {change.new}")
    yield from _list("~", plan.changed, lambda change: f"{change.key}  {_differences(change)}")
    yield from _list("-", plan.removed, lambda change: f"{change.key}  {change.old and change.old.fields}")
    yield from _list("-", plan.unused.bots, "the bot {}, which has no rules left".format)
    yield from _list("-", plan.unused.categories, "the business category {}, which has no bots left".format)
    yield from _list("-", plan.unused.regions, "the region {}, which has no rules left".format)
    yield f"{len(plan.added):,} added, {len(plan.changed):,} changed, {len(plan.removed):,} removed."
    if plan.kept:
        yield (
            f"Routes and overrides in the registry that are not in the file: {plan.kept:,}. They are kept. "
            "Import with --prune to remove them."
        )


def _list(sign: str, items: Sequence[_Item], format_item: Callable[[_Item], str]) -> Iterator[str]:
    for item in items[:MAX_SHOWN]:
        yield f"{sign} {format_item(item)}"
    if len(items) > MAX_SHOWN:
        yield f"{sign} … and {len(items) - MAX_SHOWN:,} more"


def _differences(change: Change) -> str:
    before = change.old.fields.as_dict() if change.old else {}
    after = change.new.as_dict() if change.new else {}
    return ", ".join(
        f"{name}: {_value(name, before)} → {_value(name, after)}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    )


def _value(name: str, fields: dict[str, str]) -> str:
    return fields.get(name) or _UNSET.get(name, "as in the route")
