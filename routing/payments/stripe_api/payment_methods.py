"""What a customer pays with by default, read from Stripe and kept for some minutes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cachetools import TTLCache

from routing.errors import NoPaymentMethod, StripeUnavailable
from routing.payments.kinds import CUSTOMER
from routing.payments.stripe_api import gateway

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.stripe_api.responses import JSONObject

CACHED_SECONDS = 300

_cache: TTLCache[tuple[str, str], str] = TTLCache(maxsize=10_000, ttl=CACHED_SECONDS)
"""The payment method by domain and customer."""

_lock = threading.Lock()


def default_payment_method(domain: str, customer_id: str, keys: AccountKeys) -> str:
    """Return the id of the customer's default payment method, as it was at most some minutes ago.

    Raises ``NoPaymentMethod`` if there is none, and ``StripeUnavailable`` where it cannot be read.
    """
    with _lock:
        cached = _cache.get((domain, customer_id))
    return cached or fetch_default_payment_method(domain, customer_id, keys)


def fetch_default_payment_method(domain: str, customer_id: str, keys: AccountKeys) -> str:
    """Ask Stripe for it now, whatever is cached."""
    method = _default_of(fetch_customer(customer_id, keys)) or _newest_of(customer_id, keys)
    if not method:
        raise NoPaymentMethod(
            f"The customer {customer_id} has no payment method, so nothing was charged. Have the customer give one "
            "through a checkout session in the mode 'setup', or set one in Stripe, then try again."
        )
    with _lock:
        _cache[domain, customer_id] = method
    return method


def fetch_customer(customer_id: str, keys: AccountKeys) -> JSONObject:
    """Return the customer; raise ``NoPaymentMethod`` where there is none, ``StripeUnavailable`` if it is unreadable."""
    try:
        customer = gateway.retrieve(keys, CUSTOMER.path_of(customer_id))
    except StripeUnavailable as error:
        raise type(error)(
            f"The customer's payment method could not be read. {error} Nothing was charged; "
            "try again with the same idempotency key."
        ) from None
    if customer is None or customer.get("deleted"):
        raise NoPaymentMethod(
            f"The customer {customer_id} does not exist in the Stripe account, so nothing was charged. "
            "Correct the customer of the bot's route."
        )
    return customer


def _newest_of(customer_id: str, keys: AccountKeys) -> str:
    """Return what the customer gave last, for example in a checkout session, where nobody has chosen a default."""
    path = f"{CUSTOMER.path_of(customer_id)}/payment_methods"
    response = gateway.get(keys, path, {"limit": 1})
    if not response.is_success or response.body is None:
        raise gateway.not_returned(path, response)
    return next((str(method["id"]) for method in response.body.get("data") or []), "")


def _default_of(customer: JSONObject) -> str:
    """Return what Stripe would use for the customer's invoices, or the older default source."""
    for found in (
        (customer.get("invoice_settings") or {}).get("default_payment_method"),
        customer.get("default_source"),
    ):
        if found:
            return str(found["id"] if isinstance(found, dict) else found)
    return ""
