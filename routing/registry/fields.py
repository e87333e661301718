"""What the fields of a route and an override may be: one check for the file, the API and the commands."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from routing.characters import named_character
from routing.errors import InvalidIdentifier, InvalidRequest, KeyNotAllowed
from routing.identifiers import is_slug, slug_advice
from routing.money import parse_currency
from routing.registry.models import ROUTE_FIELDS
from routing.registry.stripe_ids import PREFIXES, pattern
from stripe_billing_router.secret_patterns import contains_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DEFAULT_CURRENCY = "usd"

_ID_PATTERNS = {field: re.compile(pattern(field)) for field in PREFIXES}
_ID_LENGTH = 255
_SHOWN_LENGTH = 70
"""Characters; enough to recognize a value in a message."""
_KEY_FIELDS = frozenset({"secret_key", "public_key"})
_NO_KEYS = "Remove it: keys are stored in Vault only. If it was a live key, roll it in the Stripe Dashboard."


def route_fields(fields: Mapping[str, object]) -> dict[str, str]:
    """Return every field of a route; raise ``InvalidRequest`` or ``KeyNotAllowed`` for the first that is wrong."""
    checked = _check_fields(fields)
    require_route(checked)
    return {"currency": DEFAULT_CURRENCY} | checked


def override_fields(fields: Mapping[str, object]) -> dict[str, str]:
    """Return the fields that an override changes, checked, as ``route_fields`` does."""
    checked = _check_fields(fields)
    require_change(checked)
    return checked


def require_route(fields: Collection[str]) -> None:
    if missing := [field for field in PREFIXES if field not in fields]:
        raise InvalidRequest(f"The route needs {' and '.join(missing)}.", field=missing[0])


def require_change(fields: Collection[str]) -> None:
    if not any(field in fields for field in ROUTE_FIELDS):
        raise InvalidRequest(f"The override changes nothing. Set one of {', '.join(ROUTE_FIELDS)}.", field="route")


def check_field(name: str, allowed: Collection[str] = ROUTE_FIELDS) -> None:
    """Refuse a field that does not exist, and above all one for a key."""
    if name in allowed:
        return
    if name.lower() in _KEY_FIELDS:
        raise KeyNotAllowed(f"{name} is not accepted. {_NO_KEYS}", field=name.lower())
    if contains_secret(name):
        raise KeyNotAllowed(f"The name of a field contains what looks like a key or a token. {_NO_KEYS}")
    close = get_close_matches(name, allowed, n=1)
    remedy = f"Did you mean {close[0]}?" if close else f"The fields are {', '.join(allowed)}."
    raise InvalidRequest(f"There is no field {safe_repr(name)}. {remedy}" + named_character(name), field=name)


def check_value(name: str, value: object) -> str:
    """Return the value of a route's field as the database stores it."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a string.", field=name)
    refuse_key(name, value)
    if name == "currency":
        return parse_currency(value)
    if len(value) > _ID_LENGTH or not _ID_PATTERNS[name].fullmatch(value):
        raise InvalidRequest(
            f"{name} {safe_repr(value)} is not the ID of a {name.removesuffix('_id')}. Copy it from the Stripe "
            f"Dashboard; it begins with {' or '.join(PREFIXES[name])}, unless somebody chose it."
            + named_character(value),
            field=name,
        )
    return value


def check_slug(kind: str, text: object) -> str:
    """Return the name of a region, a bot or another ``kind`` of row."""
    if isinstance(text, str):
        refuse_key(f"The {kind}", text)
        if is_slug(text):
            return text
    raise InvalidIdentifier(f"The {kind} {safe_repr(text)} is not valid. {slug_advice(str(text))}")


def check_override_key(text: object) -> str:
    """Return the key of a qualifier, such as ``business``."""
    if text == "region":
        raise InvalidRequest(
            "An override's key cannot be 'region': each region has its own route. Add a route for the region instead.",
            field="key",
        )
    return check_slug("override's key", text)


def parse_time(name: str, text: str) -> datetime:
    """Parse an ISO 8601 date and time with its UTC offset."""
    refuse_key(name, text)
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest(
        f"{name} {safe_repr(text)} is not a time. Write date, time and UTC offset, such as 2027-01-01T00:00:00Z.",
        field=name,
    )


def refuse_key(name: str, text: str) -> None:
    if contains_secret(text):
        raise KeyNotAllowed(f"{name} contains what looks like a key or a token. {_NO_KEYS}")


def safe_repr(value: object) -> str:
    """Return a value for a message: short, printable and never a key."""
    text = str(value)
    if contains_secret(text):
        return "(hidden: it looks like a key)"
    return repr(text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "…")


def _check_fields(fields: Mapping[str, object]) -> dict[str, str]:
    for name in fields:
        check_field(name)
    return {name: check_value(name, value) for name, value in fields.items()}
