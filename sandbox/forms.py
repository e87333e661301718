"""How Stripe's form encoding reads: ``a[b][0]=c`` becomes nested values, all of them still text."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from sandbox.errors import invalid

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_MOST_DEPTH = 12


def parse(encoded: str) -> dict[str, Any]:
    """Return the nested parameters; raise a 400 where the text does not say one thing clearly."""
    params: dict[str, Any] = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded), errors="strict")
    except ValueError as error:
        raise invalid("The parameters are not form-encoded; see https://docs.stripe.com/api.") from error
    for key, value in pairs:
        _put(params, key, value)
    return params


def _put(params: dict[str, Any], key: str, value: str) -> None:
    match = _KEY.fullmatch(key)
    if match is None:
        raise invalid(f"Received an unreadable parameter name: {key}", param=key)
    *outer, last = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    if len(outer) > _MOST_DEPTH:
        raise invalid(f"The parameter {match[1]} is nested too deeply.", param=match[1])
    at = params
    for name in outer:
        at = at.setdefault(name or str(len(at)), {})
        if not isinstance(at, dict):
            raise invalid(f"The parameter {key} is given both as a value and as a hash.", param=key)
    name = last or str(len(at))
    if name in at:
        raise invalid(f"The parameter {key} is given twice.", param=key)
    at[name] = value
