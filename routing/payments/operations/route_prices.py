"""Whether a route's price is sold in its currency, asked at Stripe before the route is registered.

Where Stripe cannot be asked, or does not know the price, the route is registered: no charge is made by it before its
price was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.errors import BillingError, InvalidRequest, RouteUnusable
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.stripe_api.prices import load_price
from routing.registry import snapshot
from routing.registry.fields import route_fields

if TYPE_CHECKING:
    from collections.abc import Mapping


def require_matching_price(domain: str, fields: Mapping[str, object]) -> None:
    """Raise ``InvalidRequest`` if Stripe sells the price of a new route in other currencies alone."""
    route = route_fields(fields)
    if problem := mismatch(domain, route["price_id"], route["currency"]):
        raise InvalidRequest(problem, field="currency")


def mismatch(domain: str, price_id: str, currency: str) -> str | None:
    """Say that the price is not sold in the currency: empty where it is or is not known, None where nobody answers."""
    try:
        rule = snapshot.current().table.domains.get(domain)
        if rule is None:
            return ""
        keys, _ = load_keys(rule)
        sold = load_price(domain, price_id, keys).unit_amounts
    except RouteUnusable:
        return ""
    except BillingError:
        return None
    if currency.lower() in sold:
        return ""
    names = ", ".join(sorted(name.upper() for name in sold))
    return (
        f"The price {price_id} is sold in {names}, and the route is in {currency.upper()}. Give the currency of the "
        "route, or another price."
    )
