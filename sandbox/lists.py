"""Stripe's lists: newest first, paged by cursor, wrapped in one envelope."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sandbox.errors import invalid
from sandbox.objects import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from sandbox.endpoints import Call
    from sandbox.objects import Json

_MOST = 100
_USUAL = 10
_BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "gt": int.__gt__,
    "gte": int.__ge__,
    "lt": int.__lt__,
    "lte": int.__le__,
}


def envelope(data: list[Json], url: str, *, has_more: bool = False) -> Json:
    return {"object": "list", "data": data, "has_more": has_more, "url": url, "sandbox": NOTICE}


def page(call: Call, kind: str, where: Mapping[str, Collection[Any]] | None = None) -> Json:
    """List the account's objects of ``kind`` as ``call`` asks.

    ``where`` maps a field to the values that it may have; ``asked`` makes it from the call's own parameters.
    """
    params = call.params
    limit = params.get("limit", _USUAL)
    if not 1 <= limit <= _MOST:
        raise invalid(f"Invalid limit: must be between 1 and {_MOST}", param="limit", code="parameter_invalid_integer")
    found = (
        each
        for each in call.work.newest_first(kind)
        if all(each[name] in values for name, values in (where or {}).items()) and _is_within(each, params)
    )
    chosen = _beside_cursor(call, kind, found, limit + 1)
    data = chosen[:limit] if "ending_before" not in params else chosen[-limit:]
    return envelope(data, call.path, has_more=len(chosen) > limit)


def asked(call: Call, *names: str) -> dict[str, list[Any]]:
    """Return the fields among ``names`` that the call filters by, for ``page``."""
    return {name: [call.params[name]] for name in names if name in call.params}


def _is_within(found: Json, params: dict[str, Any]) -> bool:
    created = params.get("created")
    if created is None:
        return True
    at = found["date"] if found["object"] == "invoiceitem" else found["created"]
    if isinstance(created, int):
        return bool(at == created)
    return all(_BOUNDS[bound](at, limit) for bound, limit in created.items())


def _beside_cursor(call: Call, kind: str, found: Iterable[Json], most: int) -> list[Json]:
    work, params = call.work, call.params
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise invalid("You may give only one of starting_after and ending_before.")
    if not after and not before:
        return list(islice(found, most))
    param = "starting_after" if after else "ending_before"
    cursor = work.get(kind, params[param], param=param)
    order = {identifier: place for place, identifier in enumerate(work.account.by_kind[kind])}
    place = order[cursor["id"]]
    if after:
        return list(islice((each for each in found if order[each["id"]] < place), most))
    return [each for each in found if order[each["id"]] > place][-most:]
