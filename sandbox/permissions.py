"""What a restricted key may do: read or write each kind of resource, or neither.

https://docs.stripe.com/keys/restricted-api-keys and https://docs.stripe.com/keys/permissions-reference
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Level = Literal["none", "read", "write"]
_LEVELS: tuple[Level, ...] = get_args(Level)  # from the least to the most

_LABELS = {
    "balance": "Balance",
    "charge": "Charges and Refunds",
    "checkout_session": "Checkout Sessions",
    "connected_account": "Accounts",
    "coupon": "Coupons",
    "customer": "Customers",
    "dispute": "Disputes",
    "event": "Events",
    "invoice": "Invoices",
    "payment_intent": "PaymentIntents",
    "payment_method": "Payment Methods",
    "plan": "Prices",  # as they were called when the permission was named
    "product": "Products",
    "promotion_code": "Promotion Codes",
    "setup_intent": "SetupIntents",
    "subscription": "Subscriptions",
    "tax_rate": "Tax Rates",
    "webhook": "Webhook Endpoints",
}
_OTHERWISE_NAMED = {
    "account": "connected_account",
    "accounts": "connected_account",
    "balance_transactions": "balance",
    "checkout": "checkout_session",
    "discount": "coupon",
    "invoice_payments": "invoice",
    "invoiceitems": "invoice",
    "item": "checkout_session",
    "payment_methods": "payment_method",
    "prices": "plan",
    "refunds": "charge",
    "webhook_endpoints": "webhook",
}


@dataclass(frozen=True, slots=True)
class Need:
    """The permission that a request or an expansion needs."""

    resource: str
    level: Level

    def __str__(self) -> str:
        """Say it as Stripe does: the Dashboard's words, and the name for the API."""
        return f"\"{_LABELS[self.resource]} {self.level.capitalize()}\" ('{self.resource}_{self.level}')"


def needed(method: str, path: str) -> Need:
    """Return what a request needs. What belongs to a customer needs its own permission where it has one."""
    steps = path.split("/")[2:]
    owned = steps[2] if steps[0] == "customers" and len(steps) > 2 and steps[2] == "payment_methods" else steps[0]  # noqa: PLR2004 (customers, an id, and what is the customer's)
    return Need(named(owned), "read" if method == "GET" else "write")


def named(resource: str) -> str:
    """Return the permission for a resource of the API's paths, or for a kind of object: prices, invoice_payment."""
    for name in (resource, f"{resource}s"):
        if name in _OTHERWISE_NAMED:
            return _OTHERWISE_NAMED[name]
    return resource.replace(".", "_").removesuffix("s")


def is_known(resource: str) -> bool:
    return resource in _LABELS


def allows(permissions: Mapping[str, Level], otherwise: Level, need: Need) -> bool:
    """Say whether a key has what is needed; to write is to read too."""
    return _LEVELS.index(permissions.get(need.resource, otherwise)) >= _LEVELS.index(need.level)
