"""What the ids of products, prices and customers may be. Pure.

Stripe gives them prefixes now, and took any text of their maker's before: https://docs.stripe.com/api/plans/create.
"""

from __future__ import annotations

PREFIXES = {"product_id": ("prod_",), "price_id": ("price_", "plan_"), "customer_id": ("cus_",)}

_PREFIXES_OF_ALL = (
    *(prefix for prefixes in PREFIXES.values() for prefix in prefixes),
    *("acct_", "card_", "ch_", "cs_", "evt_", "ii_", "in_", "pi_", "pm_", "py_", "re_", "seti_", "si_", "sub_", "txn_"),
)


def pattern(field: str) -> str:
    """Return the regular expression, for Python and PostgreSQL, of an id that is not known to be another object's."""
    others = "|".join(prefix for prefix in _PREFIXES_OF_ALL if prefix not in PREFIXES[field])
    return f"^(?!{others})[A-Za-z0-9_-]+$"
