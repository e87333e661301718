"""What a price comes to. Stripe never changes the amount of a price, so it is asked for once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments import gateway

if TYPE_CHECKING:
    from routing.keys import AccountKeys

_MOST_REMEMBERED = 100_000

_remembered: dict[tuple[str, str], int | None] = {}
"""By domain and price: minor units for one, or None where that depends on more than the quantity."""


def unit_amount(domain: str, price_id: str, keys: AccountKeys) -> int | None:
    """Return the minor units that one costs; None where it cannot be told before it is invoiced."""
    if (domain, price_id) not in _remembered:
        answer = gateway.get(keys, f"/v1/prices/{price_id}")
        if not answer.is_success or answer.body is None:
            return None
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        price = answer.body
        is_plain = price.get("billing_scheme") == "per_unit" and not price.get("transform_quantity")
        amount = price.get("unit_amount")
        _remembered[domain, price_id] = amount if is_plain and isinstance(amount, int) else None
    return _remembered[domain, price_id]
