"""Checks the form of a bot's arguments before anything is sent; the router checks what they mean."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from stripe_billing_router.errors import InvalidAmount, InvalidIdentifier, InvalidRequest, KeyNotAllowed
from stripe_billing_router.secret_patterns import contains_secret
from stripe_billing_router.web_addresses import check_web_address

Fields: TypeAlias = Mapping[str, object]

_ROUTE_FIELDS = frozenset({"product_id", "price_id", "customer_id", "currency"})
_KEY_FIELDS = frozenset({"secret_key", "public_key"})
_AMOUNT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_MAX_EXPONENT = 20  # more is no amount of money, and Decimal("1E+999999999") must not be written out
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


def json_body(fields: Fields, *, required: Collection[str]) -> bytes:
    """Return the JSON to send: every field that was passed, each checked by its name. None means not passed."""
    _refuse_keys(fields)
    checked = {name: _CHECKS.get(name, string)(name, value) for name, value in fields.items() if value is not None}
    if missing := sorted(set(required) - checked.keys()):
        raise InvalidRequest(f"Required and not passed: {', '.join(missing)}.")
    try:
        return json.dumps(checked, allow_nan=False).encode()
    except (TypeError, ValueError) as cause:
        raise InvalidRequest(f"An argument cannot be sent as JSON: {cause}.") from cause


def merge(name: str, passed: Fields | None, keywords: Fields) -> Fields:
    """Return the fields of a dict that was passed together with the keywords; no field may be in both."""
    if passed is None:
        return keywords
    check_fields(name, passed, keywords.keys())
    if twice := sorted(field for field in passed if passed[field] is not None and keywords[field] is not None):
        raise InvalidRequest(f"{', '.join(twice)} was passed both in {name} and as a keyword: pass it once.")
    return {field: keyword if keyword is not None else passed.get(field) for field, keyword in keywords.items()}


def check_fields(name: str, passed: Fields, allowed: Collection[str]) -> Fields:
    """Return the mapping ``passed``, which may contain only the fields ``allowed``."""
    _refuse_keys({name: [field for field, _ in _items(name, passed)]})
    unknown = [str(field) for field in passed if field not in allowed]
    if any(field.lower() in _KEY_FIELDS for field in unknown):
        raise KeyNotAllowed(f"Remove secret_key and public_key from {name}: only the router holds Stripe keys.")
    if unknown:
        raise InvalidRequest(
            f"Unknown in {name}: {', '.join(sorted(unknown))}. The fields are: {', '.join(sorted(allowed))}."
        )
    return passed


def identifier(name: str, value: object) -> str:
    """Return who or what is meant, for example ``finance:finance_router_bot``. The router parses it."""
    if not isinstance(value, str):
        raise InvalidIdentifier(f"{name} must be a string, not {_type(value)}.")
    if not value.strip():
        raise InvalidIdentifier(f"{name} is empty.")
    _refuse_keys({name: value})
    return value


def string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a string, not {_type(value)}.")
    return value


def positive_integer(name: str, value: object) -> int:
    number = _integer(name, value)
    if number < 1:
        raise InvalidRequest(f"{name} must be 1 or more.")
    return number


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be True or False, not {_type(value)}.")
    return value


def idempotency_key(value: object) -> str:
    """Return the key that was passed, or a new one."""
    if value is None:
        return str(uuid.uuid4())
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise InvalidRequest('idempotency_key must be 1 to 255 printable ASCII characters, for example "order-4711".')
    _refuse_keys({"idempotency_key": value})
    return value


def _amount(name: str, value: object) -> str:
    written = _written(name, value)
    if not _AMOUNT.fullmatch(written):
        shown = "" if contains_secret(written) else f" {written[:40]!r}"
        raise InvalidAmount(
            f'The {name}{shown} is not valid: pass a plain number such as 10 or "10.00", in the currency\'s main unit, '
            "without sign or exponent."
        )
    return written


def _written(name: str, value: object) -> str:
    """Write the number exactly as it is; a float as its shortest form, which reads back as the same float."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise InvalidAmount(f'The {name} must be a number such as 10 or "10.00", not {_type(value)}.')
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return float.__repr__(value)  # a subclass may print itself otherwise
    exact = Decimal(value)
    return format(exact, "f") if abs(exact.adjusted()) <= _MAX_EXPONENT else str(exact)


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{name} must be an integer, not {_type(value)}.")
    return value


def _strings(name: str, value: object) -> dict[str, str]:
    return {string(f"Each key of {name}", key): string(f"{name}[{key!r}]", item) for key, item in _items(name, value)}


def _route(name: str, value: object) -> dict[str, str]:
    return _strings(name, check_fields(name, dict(_items(name, value)), _ROUTE_FIELDS))


def _line_items(name: str, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, (list, tuple)):
        raise InvalidRequest(f"{name} must be a list of dicts, not {_type(value)}.")
    return [dict(_items(f"{name}[{index}]", item)) for index, item in enumerate(value)]


def _timestamp(name: str, value: object) -> str:
    if not isinstance(value, datetime):
        return string(name, value)
    if value.tzinfo is None:
        raise InvalidRequest(f"{name} needs a time zone, for example datetime.now(UTC).")
    return value.isoformat()


_CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "bot": identifier,
    "amount": _amount,
    "at_period_end": _boolean,
    "success_url": check_web_address,
    "cancel_url": check_web_address,
    "quantity": _integer,
    "metadata": _strings,
    "overrides": _strings,
    "route": _route,
    "line_items": _line_items,
    "as_of": _timestamp,
}


def _items(name: str, value: object) -> Collection[tuple[Any, Any]]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{name} must be a dict, not {_type(value)}.")
    return value.items()


def _refuse_keys(fields: Fields) -> None:
    for name, value in fields.items():
        if any(contains_secret(found) for found in every_string(value)):
            raise KeyNotAllowed(f"{name} contains what looks like a key or a token: remove it.")


def every_string(value: object) -> Iterator[str]:
    """Yield every text in a value, names and values, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from every_string(key)
            yield from every_string(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from every_string(item)


def _type(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
