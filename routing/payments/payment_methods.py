"""What a customer pays with by default, read from Stripe and remembered for some minutes."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from routing.errors import NoPaymentMethod, StripeUnavailable
from routing.payments import gateway

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.answers import JSONObject

REMEMBERED_SECONDS = 300.0
_MOST_REMEMBERED = 10_000

_remembered: dict[tuple[str, str], tuple[float, str]] = {}
"""By domain and customer: until when, and the payment method."""


def default_of(domain: str, customer_id: str, keys: AccountKeys) -> str:
    """Return the id of the customer's default payment method; raise ``NoPaymentMethod`` if there is none."""
    until, method = _remembered.get((domain, customer_id), (0.0, ""))
    return method if time.monotonic() < until else read_default(domain, customer_id, keys)


def read_default(domain: str, customer_id: str, keys: AccountKeys) -> str:
    """Ask Stripe for it now, whatever is remembered."""
    method = _default(_customer(customer_id, keys))
    if not method:
        raise NoPaymentMethod(
            f"The customer {customer_id} has no default payment method, so nothing was charged. "
            "Set one for the customer's invoices in Stripe, then try again."
        )
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    _remembered[domain, customer_id] = (time.monotonic() + REMEMBERED_SECONDS, method)
    return method


def _customer(customer_id: str, keys: AccountKeys) -> JSONObject:
    answer = gateway.get(keys, f"/v1/customers/{customer_id}")
    if answer.http_status == HTTPStatus.NOT_FOUND or (answer.body or {}).get("deleted"):
        raise NoPaymentMethod(
            f"The customer {customer_id} does not exist in the Stripe account, so nothing was charged. "
            "Correct the customer of the bot's route."
        )
    if not answer.is_success or answer.body is None:
        said = answer.error.message
        raise StripeUnavailable(
            f"The customer's payment method could not be read from Stripe{f': {said}' if said else '.'} "
            "Nothing was charged; try again with the same key."
        )
    return answer.body


def _default(customer: JSONObject) -> str:
    """Return what Stripe would use for the customer's invoices, or the older default source."""
    for found in (
        (customer.get("invoice_settings") or {}).get("default_payment_method"),
        customer.get("default_source"),
    ):
        if found:
            return str(found["id"] if isinstance(found, dict) else found)
    return ""
