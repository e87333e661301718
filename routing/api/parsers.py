"""Reads JSON bodies strictly: exact numbers, no repeated names, no endless nesting."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, NoReturn

from rest_framework.parsers import BaseParser

from routing.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 256 * 1024
_DEEPEST = 20


class StrictJSONParser(BaseParser):
    """Numbers with a fraction arrive as ``Decimal``, as they were written."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 (Django REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002 (as above)
    ) -> dict[str, Any]:
        text = stream.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise InvalidRequest(f"The body is longer than {MOST_BYTES // 1024} KiB. Send less.")
        try:
            found = json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            if isinstance(error, InvalidRequest):
                raise
            raise InvalidRequest("The body is not JSON that can be read. Send one JSON object in UTF-8.") from None
        if not isinstance(found, dict) or _depth(found) > _DEEPEST:
            raise InvalidRequest("The body must be one JSON object without deep nesting.")
        return found


def _refuse(constant: str) -> NoReturn:
    raise InvalidRequest(f"{constant} is not JSON. Send a number.")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        repeated = next(name for name in found if sum(name == other for other, _ in pairs) > 1)
        raise InvalidRequest(f"The body says {repeated!r:.60} more than once. Say it once.")
    return found


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
