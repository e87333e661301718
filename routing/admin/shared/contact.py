"""Customers' email addresses and phone numbers, which only those who may see them see in full."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.http import HttpRequest

_EMAIL = re.compile(r"([^\s@<>,;:\"'=()]+)@((?:[\w-]+\.)+\w{2,})")
_PERSONAL = frozenset({"email", "phone", "name", "address", "shipping", "receipt_email"})
"""Stripe's fields whose whole value says who or where a customer is."""


def may_see_contact(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("routing.view_customer_contact"))


def mask_contact(value: Any, *, is_personal: bool = False) -> Any:
    """Return text or JSON with every email address as ``a…@example.com``, and personal fields as a first letter."""
    if isinstance(value, dict):
        return {
            name: mask_contact(inner, is_personal=is_personal or name in _PERSONAL) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [mask_contact(inner, is_personal=is_personal) for inner in value]
    if not isinstance(value, str):
        return value
    masked, emails = _EMAIL.subn(lambda match: f"{match[1][0]}…@{match[2]}", value)
    return masked if emails or not is_personal or not value else f"{value[0]}…"
