"""The error that the database's refusal of a payment is: a cap is exceeded, or a refund is too large."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from routing.caps import remaining
from routing.caps.models import Measure, Per
from routing.caps.triggers import CAP_EXCEEDED, CAP_MISSING
from routing.errors import CapExceeded, InvalidAmount, OutdatedServer
from routing.money import to_text
from routing.payments.ledger.models import OLDER_RELEASE, REFUND_TOO_LARGE

if TYPE_CHECKING:
    import psycopg

    from routing.errors import BillingError

_PERIODS = {
    Per.CHARGE: "per-charge",
    Per.HOUR: "hourly",
    Per.LAST_24_HOURS: "24-hour",
    Per.DAY: "daily",
    Per.MONTH: "monthly",
}


def refusal_of(refusal: psycopg.DatabaseError, currency: str) -> BillingError | None:
    """Return the error that the bot is told; None where the refusal means nothing to a bot."""
    if refusal.sqlstate == CAP_EXCEEDED:
        return _cap_exceeded(json.loads(refusal.diag.message_detail or "{}"))
    if refusal.sqlstate == CAP_MISSING:
        return CapExceeded(
            f"No cap covers a charge in {currency.upper()}, and this bot may only be charged within one. Nothing was "
            "charged. Ask finance to add a cap in that currency."
        )
    if refusal.sqlstate == OLDER_RELEASE:
        return OutdatedServer(
            "This server of the router is older than its database allows, and charges nothing. Retry, which another "
            "server may answer; whoever runs the router has to update this one."
        )
    if refusal.sqlstate == REFUND_TOO_LARGE:
        return _refund_too_large(max(0, int(refusal.diag.message_detail or 0)), currency)
    return None


def _refund_too_large(left_minor: int, currency: str) -> InvalidAmount:
    left = to_text(left_minor, currency)
    return InvalidAmount(
        f"The refund is more than is left of the charge: at most {left} {currency.upper()}, less what was refunded in "
        "the Stripe Dashboard. Nothing was refunded; without an amount, all that is left is.",
        left=left,
    )


def _cap_exceeded(cap: dict[str, Any]) -> CapExceeded:
    """Say which cap leaves no room. ``cap`` is the detail with which the trigger refused the payment."""
    cap["since"] = cap["since"] and datetime.fromisoformat(cap["since"])
    measure, period, shown = Measure(cap["measure"]), _PERIODS[Per(cap["per"])], remaining.representation(cap)
    name = {Measure.GROSS: "limit", Measure.COUNT: "limit on the number of charges", Measure.REFUNDS: "refund limit"}
    room = "" if cap["per"] == Per.CHARGE else f", of which {shown['left']} is left"
    if not cap["is_known"]:
        room = ", and the amount of the price is not known beforehand"
    return CapExceeded(
        f"The {period} {name[measure]} is {shown['limit']}{room}. Nothing was charged. "
        "Charge less, wait, or ask finance to raise the cap.",
        cap=shown,
    )
