"""What a price comes to. Stripe never changes the amount of a price, so it is read once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cachetools import LRUCache

from routing.payments.stripe_api import gateway

if TYPE_CHECKING:
    from routing.keys import AccountKeys

_cache: LRUCache[tuple[str, str], int | None] = LRUCache(maxsize=100_000)
"""Minor units for one, by domain and price; None where that depends on more than the quantity."""

_lock = threading.Lock()


def unit_amount(domain: str, price_id: str, keys: AccountKeys) -> int | None:
    """Return the minor units that one costs; None where it cannot be told before it is invoiced."""
    key = domain, price_id
    with _lock:
        if key in _cache:
            return _cache[key]
    response = gateway.get(keys, f"/v1/prices/{price_id}")
    if not response.is_success or response.body is None:
        return None
    price = response.body
    is_plain = price.get("billing_scheme") == "per_unit" and not price.get("transform_quantity")
    amount = price.get("unit_amount")
    with _lock:
        _cache[key] = amount if is_plain and isinstance(amount, int) else None
        return _cache[key]
