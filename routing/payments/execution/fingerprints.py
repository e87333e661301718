"""Whether two requests are the same: compared by what they mean, and not by how they are written.

An amount is the same as ``10`` and as ``"10.00"``. To name the route's own price, currency or customer, a quantity of 1
or the default region is the same as to leave it out.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from routing.errors import InvalidAmount
from routing.identifiers import DEFAULT_REGION
from routing.money import to_minor
from routing.registry.table import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.payments.execution.plans import Operation
    from routing.payments.ledger.models import Payment

VERSION = 1
"""The first byte of a fingerprint. Another rule gets another version, and payments are compared by their own."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a payment was decided with. A request that only repeats a term means the same without it."""

    currency: str
    price_id: str
    customer_id: str
    refunded: Payment | None = None

    @classmethod
    def of_payment(cls, payment: Payment) -> Self:
        return cls(payment.currency, payment.price_id, payment.customer_id, payment.refund_of)


def fingerprint(operation: Operation, terms: Terms) -> bytes:
    meaning = {operation.operation: _meaning(operation, terms)}
    return bytes([VERSION]) + hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).digest()


def is_same(operation: Operation, payment: Payment) -> bool:
    """Say whether the operation means what the payment was made for."""
    return fingerprint(operation, Terms.of_payment(payment)) == bytes(payment.fingerprint)


def _meaning(operation: Operation, terms: Terms) -> dict[str, Any]:
    meant = {each.name: getattr(operation, each.name) for each in fields(operation)}
    for item in meant.pop("line_items", ()):
        meant |= {"price_id": item.get("price"), "quantity": item.get("quantity", 1)}
    if meant.get("amount") is not None:
        meant["amount"] = _exact(meant["amount"], terms.currency)
    if meant.get("currency"):
        meant["currency"] = meant["currency"].lower()
    if terms.refunded and meant.get("payment") in terms.refunded.names:
        meant["payment"] = str(terms.refunded.id)
    meant["overrides"] = {key: value for key, value in _items(meant.get("overrides")) if (key, value) != _DEFAULT}
    meant["metadata"] = dict(_items(meant.get("metadata")))
    return {name: value for name, value in meant.items() if not _is_understood(name, value, terms)}


_DEFAULT = (REGION, DEFAULT_REGION)


def _is_understood(name: str, value: Any, terms: Terms) -> bool:
    """Say whether leaving it out means the same."""
    match name:
        case "currency" | "price_id" | "customer_id":
            return value in (None, "", getattr(terms, name))
        case "quantity":
            return value in (None, 1)
        case _:
            return value in (None, "", {})


def _exact(amount: Any, currency: str) -> Any:
    """Return minor units, or the text of an amount that cannot be one."""
    try:
        return to_minor(amount, currency)
    except InvalidAmount:
        return str(amount)


def _items(mapping: Mapping[str, str] | None) -> list[tuple[str, str]]:
    return list((mapping or {}).items())
