"""What a price comes to in each of its currencies, read from Stripe and kept for some minutes.

Stripe never changes the amount of a price, but its other currencies can be, and it can be archived.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachetools import TTLCache

from routing.errors import RouteUnusable
from routing.payments.stripe_api import gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.keys import AccountKeys
    from routing.payments.stripe_api.responses import JSONObject

CACHED_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Price:
    """``unit_amounts`` are the minor units of one by currency; None where they depend on more than the quantity.

    ``interval`` is how often the price recurs, such as ``month``; empty for one that is paid once.
    """

    id: str
    unit_amounts: Mapping[str, int | None]
    interval: str
    is_active: bool

    def require_usable(self, currency: str, *, is_recurring: bool) -> None:
        """Raise ``RouteUnusable`` if Stripe would not sell the price so, or would sell it in another currency."""
        if not self.is_active:
            raise RouteUnusable(f"The price {self.id} is archived at Stripe. Choose another price for the route.")
        if currency not in self.unit_amounts:
            sold = ", ".join(sorted(known.upper() for known in self.unit_amounts))
            raise RouteUnusable(
                f"The price {self.id} is sold in {sold}, and not in {currency.upper()}. "
                "Correct the price or the currency of the route."
            )
        if is_recurring != bool(self.interval):
            actual, needed = (
                ("recurs", "one that is paid once") if self.interval else ("is paid once", "a recurring one")
            )
            raise RouteUnusable(f"The price {self.id} {actual}. This takes {needed}: correct the price of the route.")


_cache: TTLCache[tuple[str, str], Price] = TTLCache(maxsize=100_000, ttl=CACHED_SECONDS)
"""By domain and price id."""

_lock = threading.Lock()


def load_price(domain: str, price_id: str, keys: AccountKeys) -> Price:
    """Return the price as it was at most some minutes ago.

    Raises ``RouteUnusable`` where Stripe has no such price, and ``StripeUnavailable`` where it cannot be read: a price
    that is not known is never charged.
    """
    key = domain, price_id
    with _lock:
        if cached := _cache.get(key):
            return cached
    price = _fetch(price_id, keys)
    with _lock:
        _cache[key] = price
    return price


def _fetch(price_id: str, keys: AccountKeys) -> Price:
    found = gateway.retrieve(keys, f"/v1/prices/{price_id}", {"expand": ["currency_options"]})
    if found is None:
        raise RouteUnusable(f"Stripe has no price {price_id} on the domain's account. Correct the price of the route.")
    options = {str(found.get("currency")): found} | dict(found.get("currency_options") or {})
    return Price(
        id=price_id,
        unit_amounts={currency: _unit_amount(found, option) for currency, option in options.items()},
        interval=str((found.get("recurring") or {}).get("interval") or ""),
        is_active=found.get("active") is not False,
    )


def _unit_amount(price: JSONObject, option: Mapping[str, Any]) -> int | None:
    is_plain = price.get("billing_scheme") == "per_unit" and not price.get("transform_quantity")
    amount = option.get("unit_amount")
    return amount if is_plain and isinstance(amount, int) and not isinstance(amount, bool) else None
