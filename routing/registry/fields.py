"""What a route and an override may hold: the one check for the file, the API, the client and the commands."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from routing.errors import InvalidIdentifier, InvalidRequest, KeyNotAllowed
from routing.identifiers import is_slug
from routing.money import parse_currency
from routing.registry.models import ROUTE_FIELDS
from stripe_billing_router.secret_patterns import contains_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DEFAULT_CURRENCY = "usd"

_PREFIXES = {"product_id": "prod_", "price_id": "price_", "customer_id": "cus_"}
_ID_PATTERNS = {field: re.compile(f"{prefix}[A-Za-z0-9_]+") for field, prefix in _PREFIXES.items()}
_ID_LENGTH = 255
_SHOWN_LENGTH = 70
"""Characters; enough to recognise a value in a message."""
_KEY_FIELDS = frozenset({"secret_key", "public_key"})
_NO_KEYS = "Take it out: keys live in Vault alone. If it was a live one, roll it at Stripe."


def route_fields(given: Mapping[str, object]) -> dict[str, str]:
    """Return every field of a route; raise ``InvalidRequest`` or ``KeyNotAllowed`` for the first that is wrong."""
    checked = _checked(given)
    require_route(checked)
    return {"currency": DEFAULT_CURRENCY} | checked


def override_fields(given: Mapping[str, object]) -> dict[str, str]:
    """Return the fields that an override changes, checked, as ``route_fields`` does."""
    checked = _checked(given)
    require_change(checked)
    return checked


def require_route(given: Collection[str]) -> None:
    if missing := [field for field in _PREFIXES if field not in given]:
        raise InvalidRequest(f"The route has no {' and no '.join(missing)}. Give it.", field=missing[0])


def require_change(given: Collection[str]) -> None:
    if not any(field in given for field in ROUTE_FIELDS):
        raise InvalidRequest(f"The override changes nothing. Give it one of {', '.join(ROUTE_FIELDS)}.", field="route")


def check_field(name: str, known: Collection[str] = ROUTE_FIELDS) -> None:
    """Refuse a field that there is not, and above all one for a key."""
    if name in known:
        return
    if name.lower() in _KEY_FIELDS:
        raise KeyNotAllowed(f"{name} may not be given. {_NO_KEYS}", field=name.lower())
    if contains_secret(name):
        raise KeyNotAllowed(f"The name of a field looks like a Stripe or Vault key. {_NO_KEYS}")
    close = get_close_matches(name, known, n=1)
    remedy = f"Did you mean {close[0]}?" if close else f"Use {', '.join(known)}."
    raise InvalidRequest(f"There is no field {shown(name)}. {remedy}", field=name)


def check_value(name: str, value: object) -> str:
    """Return what the field ``name`` of a route is to hold, as the database keeps it."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text.", field=name)
    refuse_key(name, value)
    if name == "currency":
        return parse_currency(value)
    if len(value) > _ID_LENGTH or not _ID_PATTERNS[name].fullmatch(value):
        raise InvalidRequest(
            f"{name} {shown(value)} is not one of Stripe's ids. Copy it from Stripe; it begins with {_PREFIXES[name]}.",
            field=name,
        )
    return value


def check_slug(kind: str, text: object) -> str:
    """Return the name of a ``kind`` of thing, such as a region."""
    if isinstance(text, str):
        refuse_key(f"The {kind}", text)
        if is_slug(text):
            return text
    raise InvalidIdentifier(
        f"The {kind} {shown(text)} is not valid. Use 1 to 64 lower-case letters, digits, '_' and '-', "
        "starting and ending with a letter or a digit."
    )


def check_override_key(text: object) -> str:
    """Return the name of what a caller may say of itself, such as business."""
    if text == "region":
        raise InvalidRequest(
            "An override's key cannot be 'region': its route chooses the region. Add a route for the region instead.",
            field="key",
        )
    return check_slug("override's key", text)


def parse_moment(name: str, text: str) -> datetime:
    """Read an ISO 8601 date and time with its offset, which is a moment wherever it is read."""
    refuse_key(name, text)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest(
        f"{name} {shown(text)} is not a moment. Write date, time and offset, such as 2027-01-01T00:00:00Z.", field=name
    )


def refuse_key(name: str, text: str) -> None:
    if contains_secret(text):
        raise KeyNotAllowed(f"{name} holds what looks like a Stripe or Vault key. {_NO_KEYS}")


def shown(value: object) -> str:
    """Return a value as a message may show it: short, printable and never a key."""
    text = str(value)
    if contains_secret(text):
        return "(hidden: it looks like a key)"
    return repr(text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "…")


def _checked(given: Mapping[str, object]) -> dict[str, str]:
    for name in given:
        check_field(name)
    return {name: check_value(name, value) for name, value in given.items()}
