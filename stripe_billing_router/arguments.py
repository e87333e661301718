"""What a bot may pass, checked by form before anything is sent; what it means is the router's to judge."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from stripe_billing_router.errors import InvalidAmount, InvalidIdentifier, InvalidRequest, KeyNotAllowed

Fields: TypeAlias = Mapping[str, object]

_ROUTE_FIELDS = frozenset({"product_id", "price_id", "customer_id", "currency"})
_KEY_FIELDS = frozenset({"secret_key", "public_key"})
_STRIPE_KEY = re.compile(r"(?<![a-z0-9])(?:(?:sk|rk|pk)_(?:org_)?(?:live|test)_|whsec_)", re.IGNORECASE)
_AMOUNT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_LONGEST_EXPONENT = 20  # more is no amount of money, and Decimal("1E+999999999") must not be written out
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


def body(fields: Fields, *, required: Collection[str]) -> bytes:
    """Return the JSON to send: every field that was given, each checked by its name. None is: not given."""
    _refuse_keys(fields)
    checked = {name: _CHECKS.get(name, text)(name, value) for name, value in fields.items() if value is not None}
    if missing := sorted(set(required) - checked.keys()):
        raise InvalidRequest(f"The call needs {_listed(missing)}.")
    try:
        return json.dumps(checked, allow_nan=False).encode()
    except (TypeError, ValueError) as cause:
        raise InvalidRequest(f"The call holds a value that JSON cannot express: {cause}.") from cause


def gathered(name: str, given: Fields | None, keywords: Fields) -> Fields:
    """Return the fields of a dict that was passed and of the keywords, which may not name one twice."""
    if given is None:
        return keywords
    only(name, given, keywords.keys())
    if twice := sorted(field for field in given if given[field] is not None and keywords[field] is not None):
        raise InvalidRequest(f"{_listed(twice)} was given in {name} and as a keyword: give it once.")
    return {field: keyword if keyword is not None else given.get(field) for field, keyword in keywords.items()}


def only(name: str, given: Fields, known: Collection[str]) -> Fields:
    """Return the mapping ``given``, which may hold the fields ``known`` and no others."""
    _refuse_keys({name: [field for field, _ in _pairs(name, given)]})
    unknown = [str(field) for field in given if field not in known]
    if any(field.lower() in _KEY_FIELDS for field in unknown):
        raise KeyNotAllowed(f"The {name} may hold no keys: take secret_key and public_key out. The router holds them.")
    if unknown:
        raise InvalidRequest(f"{name} has no {_listed(sorted(unknown))}: it knows {_listed(sorted(known))}.")
    return given


def identifier(name: str, value: object) -> str:
    """Return who or what is meant, for example ``finance:finance_router_bot``. The router reads its parts."""
    if not isinstance(value, str):
        raise InvalidIdentifier(f"The {name} must be text, not {_kind(value)}.")
    if not value.strip():
        raise InvalidIdentifier(f"The {name} is empty: name one.")
    _refuse_keys({name: value})
    return value


def is_stripe_key(value: str) -> bool:
    """Whether the text holds what looks like one of Stripe's keys, live or test."""
    return _STRIPE_KEY.search(value) is not None


def text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, not {_kind(value)}.")
    return value


def count(name: str, value: object) -> int:
    number = _whole(name, value)
    if number < 1:
        raise InvalidRequest(f"{name} must be 1 or more.")
    return number


def idempotency_key(value: object) -> str:
    """Return the key that was given, or a new one."""
    if value is None:
        return str(uuid.uuid4())
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise InvalidRequest(
            "The idempotency_key must be 1 to 255 printable ASCII characters that name what is paid for, "
            'for example "order-4711".'
        )
    _refuse_keys({"idempotency_key": value})
    return value


def _amount(name: str, value: object) -> str:
    written = _written(name, value)
    if not _AMOUNT.fullmatch(written):
        shown = "that was given" if is_stripe_key(written) else repr(written[:40])
        raise InvalidAmount(
            f'The {name} {shown} cannot be charged: give a plain number such as 10 or "10.00", '
            "in the currency's own units, without sign or exponent."
        )
    return written


def _written(name: str, value: object) -> str:
    """Write the number exactly as it is; a float as its shortest form, which reads back as the same float."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise InvalidAmount(f'The {name} must be a number such as 10 or "10.00", not {_kind(value)}.')
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return float.__repr__(value)  # a subclass may print itself otherwise
    exact = Decimal(value)
    return format(exact, "f") if abs(exact.adjusted()) <= _LONGEST_EXPONENT else str(exact)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{name} must be a whole number, not {_kind(value)}.")
    return value


def _texts(name: str, value: object) -> dict[str, str]:
    return {text(f"Each name in {name}", key): text(f"{name}[{key!r}]", of) for key, of in _pairs(name, value)}


def _route(name: str, value: object) -> dict[str, str]:
    return _texts(name, only(name, dict(_pairs(name, value)), _ROUTE_FIELDS))


def _line_items(name: str, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, (list, tuple)):
        raise InvalidRequest(f"{name} must be a list of dicts, not {_kind(value)}.")
    return [dict(_pairs(f"{name}[{place}]", item)) for place, item in enumerate(value)]


def _moment(name: str, value: object) -> str:
    if not isinstance(value, datetime):
        return text(name, value)
    if value.tzinfo is None:
        raise InvalidRequest(f"{name} must say its time zone, for example datetime.now(UTC).")
    return value.isoformat()


_CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "bot": identifier,
    "amount": _amount,
    "quantity": _whole,
    "metadata": _texts,
    "overrides": _texts,
    "route": _route,
    "line_items": _line_items,
    "as_of": _moment,
}


def _pairs(name: str, value: object) -> Collection[tuple[Any, Any]]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{name} must be a dict, not {_kind(value)}.")
    return value.items()


def _refuse_keys(fields: Fields) -> None:
    for name, value in fields.items():
        if any(is_stripe_key(found) for found in _every_text(value)):
            raise KeyNotAllowed(f"{name} holds what looks like a Stripe key: take it out. The router holds the keys.")


def _every_text(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, of in value.items():
            yield from _every_text(key)
            yield from _every_text(of)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _every_text(item)


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
