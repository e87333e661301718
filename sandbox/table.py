"""Every endpoint that the sandbox has, and which one a request means."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from sandbox import wheel
from sandbox.errors import unrecognized
from sandbox.resources import (
    accounts,
    balance,
    charges,
    checkout_sessions,
    coupons,
    customer_balance,
    customers,
    discounts,
    disputes,
    events,
    invoice_items,
    invoice_payments,
    invoice_previews,
    invoices,
    payment_intents,
    payment_methods,
    prices,
    products,
    promotion_codes,
    refunds,
    setup_intents,
    subscriptions,
    tax_rates,
    webhook_endpoints,
)

if TYPE_CHECKING:
    from sandbox.endpoints import Endpoint, Endpoints

ENDPOINTS: Endpoints = {
    **accounts.ENDPOINTS,
    **balance.ENDPOINTS,
    **charges.ENDPOINTS,
    **checkout_sessions.ENDPOINTS,
    **coupons.ENDPOINTS,
    **customer_balance.ENDPOINTS,
    **customers.ENDPOINTS,
    **discounts.ENDPOINTS,
    **disputes.ENDPOINTS,
    **events.ENDPOINTS,
    **invoice_items.ENDPOINTS,
    **invoice_payments.ENDPOINTS,
    **invoice_previews.ENDPOINTS,
    **invoices.ENDPOINTS,
    **payment_intents.ENDPOINTS,
    **payment_methods.ENDPOINTS,
    **prices.ENDPOINTS,
    **products.ENDPOINTS,
    **promotion_codes.ENDPOINTS,
    **refunds.ENDPOINTS,
    **setup_intents.ENDPOINTS,
    **subscriptions.ENDPOINTS,
    **tax_rates.ENDPOINTS,
    **webhook_endpoints.ENDPOINTS,
}

if not_in_wheel := ENDPOINTS.keys() - wheel.calls().keys():
    raise LookupError(f"The stripe wheel does not know {sorted(not_in_wheel)}; the sandbox must follow it.")

_BY_SHAPE: dict[tuple[str, int], list[tuple[str, list[str]]]] = {}
for _method, _path in ENDPOINTS:
    _BY_SHAPE.setdefault((_method, _path.count("/")), []).append((_path, _path.split("/")))


def find(method: str, path: str) -> tuple[tuple[str, str], Endpoint, tuple[str, ...]]:
    """Return the call in the wheel's spelling, its endpoint, and the ids in the path, which may be percent-encoded."""
    if (method, path) in ENDPOINTS:
        return (method, path), ENDPOINTS[method, path], ()
    steps = path.split("/")
    for template, wanted in _BY_SHAPE.get((method, path.count("/")), []):
        pairs = list(zip(wanted, steps, strict=True))
        if all(want == step or (want.startswith("{") and step) for want, step in pairs):
            ids = tuple(unquote(step) for want, step in pairs if want.startswith("{"))
            return (method, template), ENDPOINTS[method, template], ids
    raise unrecognized(method, path)
