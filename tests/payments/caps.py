"""Caps as an administrator adds them."""

from __future__ import annotations

from typing import Any

from routing.caps.models import Cap


def add_cap(limit: int, measure: str = "gross", per: str = "day", currency: str = "usd", **scope: Any) -> None:
    """Add a cap of ``limit`` minor units, or charges, on the ``scope``: a domain, category or bot, or everywhere."""
    cap = Cap(limit=limit, measure=measure, per=per, currency="" if measure == "count" else currency, **scope)
    cap.full_clean()
    cap.save()
