"""Parses JSON bodies strictly: exact numbers, no duplicate names, no deep nesting."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, NoReturn

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from routing.errors import InvalidRequest, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 256 * 1024
_MAX_DEPTH = 20


class StrictJSONParser(BaseParser):
    """Numbers with a fraction arrive as ``Decimal``, as they were written."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 (Django REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        _require_unencoded(parser_context or {})
        text = stream.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise RequestTooLarge(f"The body is larger than {MAX_BYTES // 1024} KiB. Send less.")
        try:
            body = json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_require_unique)
        except (ValueError, RecursionError) as error:
            if isinstance(error, InvalidRequest):
                raise
            raise InvalidRequest("The body is not valid JSON. Send one JSON object in UTF-8.") from None
        if not isinstance(body, dict) or _depth(body) > _MAX_DEPTH:
            raise InvalidRequest(f"The body must be one JSON object, at most {_MAX_DEPTH} levels deep.")
        _require_characters(text, body)
        return body


def _require_unencoded(parser_context: Mapping[str, Any]) -> None:
    request = parser_context.get("request")
    encoding = request.headers.get("Content-Encoding", "identity") if request else "identity"
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(
            encoding, f"The body is encoded as {encoding!r:.60}. Send it without Content-Encoding."
        )


def _refuse(constant: str) -> NoReturn:
    raise InvalidRequest(f"{constant} is not valid JSON. Send a number.")


def _require_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        duplicate = next(name for name in fields if sum(name == other for other, _ in pairs) > 1)
        raise InvalidRequest(f"The body contains {duplicate!r:.60} more than once. Send it once.")
    return fields


def _require_characters(text: bytes, body: Any) -> None:
    """Refuse half a surrogate pair, which JSON can escape, and Python reads even unescaped, but no UTF-8 can hold."""
    if b"\\ud" not in text.lower() and b"\xed" not in text:
        return
    try:
        json.dumps(body, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise InvalidRequest(
            "The body contains half a surrogate pair (\\ud800 to \\udfff). Send whole characters."
        ) from None


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
