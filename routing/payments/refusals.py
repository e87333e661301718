"""What the database's own refusal of a payment means to its bot: a cap is reached, or too much is given back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from routing.access import caps
from routing.access.caps import CAP_EXCEEDED, Measure, Per
from routing.errors import CapExceeded, InvalidAmount
from routing.money import to_text
from routing.payments.models import REFUND_TOO_LARGE

if TYPE_CHECKING:
    import psycopg

    from routing.errors import BillingError


def refusal_of(refusal: psycopg.DatabaseError, currency: str) -> BillingError | None:
    """Return the error that the refusal is; None where it means nothing to the bot."""
    if refusal.sqlstate == CAP_EXCEEDED:
        return _over_cap(json.loads(refusal.diag.message_detail or "{}"))
    if refusal.sqlstate != REFUND_TOO_LARGE:
        return None
    left = max(0, int(refusal.diag.message_detail or 0))
    return InvalidAmount(
        f"More than was charged cannot be given back: {to_text(left, currency)} {currency.upper()} is left of it.",
        left=to_text(left, currency),
    )


def _over_cap(cap: dict[str, Any]) -> CapExceeded:
    """Say which cap leaves no room: ``cap`` is what the database's trigger tells of it."""
    what, how_long = Measure(cap["measure"]).label, Per(cap["per"]).label
    told = caps.document(cap)
    room = f"{told['left']} of {told['limit']} is left"
    if not cap["is_known"]:
        room = "and what the price comes to is not known beforehand"
    return CapExceeded(
        f"The {what} {how_long} is limited: {room}. Nothing was charged. "
        "Charge less, wait, or ask finance to raise the cap.",
        cap=told,
    )
