"""What a restricted key may do, found out by asking: a list of one object to read, and an empty object to write.

Stripe looks at the permission first. An empty object lacks what each of these requires, so that nothing is ever made.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from routing.payments.stripe_api import gateway

if TYPE_CHECKING:
    from routing.keys import AccountKeys

_TO_CHARGE = (
    ("PaymentIntents write", "POST", "/v1/payment_intents"),
    ("PaymentIntents read", "GET", "/v1/payment_intents"),
    ("Customers read", "GET", "/v1/customers"),
    ("Prices read", "GET", "/v1/prices"),
)
_TO_DO_THE_REST = (
    ("Charges and Refunds write", "POST", "/v1/refunds"),
    ("Charges and Refunds read", "GET", "/v1/charges"),
    ("Invoices write", "POST", "/v1/invoiceitems"),
    ("Invoices read", "GET", "/v1/invoices"),
    ("Subscriptions write", "POST", "/v1/subscriptions"),
    ("Subscriptions read", "GET", "/v1/subscriptions"),
    ("Checkout Sessions write", "POST", "/v1/checkout/sessions"),
    ("Checkout Sessions read", "GET", "/v1/checkout/sessions"),
    ("Balance read", "GET", "/v1/balance_transactions"),
    ("Disputes read", "GET", "/v1/disputes"),
    ("Events read", "GET", "/v1/events"),
)
"""The permission in the Dashboard's words, and a request that needs it."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The permissions that the key lacks: without the first no bot can charge, without the others it does less."""

    to_charge: tuple[str, ...]
    others: tuple[str, ...]


def missing_permissions(keys: AccountKeys) -> Missing:
    """Ask Stripe for each permission that the router uses. A full secret key has them all, and is not asked about.

    Writing customers is left out: an empty one would be made.
    """
    if not keys.is_restricted:
        return Missing((), ())
    return Missing(*(tuple(_lacking(keys, needed)) for needed in (_TO_CHARGE, _TO_DO_THE_REST)))


def _lacking(keys: AccountKeys, needed: tuple[tuple[str, str, str], ...]) -> list[str]:
    return [name for name, method, path in needed if _is_forbidden(keys, method, path)]


def _is_forbidden(keys: AccountKeys, method: str, path: str) -> bool:
    if method == "GET":
        response = gateway.get(keys, path, {"limit": 1})
    else:
        response = gateway.post(keys, path, {}, idempotency_key=f"permission-{uuid.uuid4()}")
    return response.http_status == HTTPStatus.FORBIDDEN
