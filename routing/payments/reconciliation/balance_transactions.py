"""Compares each of Stripe's balance transactions with the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments.reconciliation.comparison import batches, candidates_for, compare_unmatched, tolerate_unreadable
from routing.payments.reconciliation.matching import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from routing.payments.reconciliation.comparison import Comparison, Window
    from routing.payments.stripe_api.responses import JSONObject

_INTERNAL_TYPES = frozenset(
    {
        "network_cost",
        "payout",
        "payout_cancel",
        "payout_failure",
        "payout_minimum_balance_hold",
        "payout_minimum_balance_release",
        "reserve_hold",
        "reserve_release",
        "stripe_fee",
        "stripe_fx_fee",
        "tax_fee",
    }
)
"""Types that move no customer's money, and are not compared.

https://docs.stripe.com/reports/balance-transaction-types
"""


def compare_balance(comparison: Comparison, window: Window, *, counted_from: datetime) -> None:
    """Compare the window's balance transactions; sum up those made since ``counted_from``, and before this run."""
    counted = range(int(counted_from.timestamp()), int(comparison.now.timestamp()))
    for batch in batches(comparison, "/v1/balance_transactions", window, expand=["data.source"]):
        moved = [_source_object(entry) for entry in batch if entry["type"] not in _INTERNAL_TYPES]
        candidates = candidates_for(moved)
        for found in moved:
            with tolerate_unreadable(comparison):
                comparison.tally[
                    Verdict.AGREES if candidates.owner(found) else compare_unmatched(comparison, found)
                ] += 1
        for entry in batch:
            if entry["created"] in counted:
                comparison.money[entry["currency"], entry["type"]] += entry["amount"]
                comparison.money[entry["currency"], "fees"] -= entry["fee"]


def _source_object(entry: JSONObject) -> JSONObject:
    """Return the object that the ledger would have: the intent of a charge or a dispute, the refund, else the entry."""
    source = entry.get("source")
    if not isinstance(source, dict):
        return entry
    if source["object"] == "refund":
        return source
    if source["object"] in {"charge", "dispute"} and source.get("payment_intent"):
        return {**source, "object": "payment_intent", "id": source["payment_intent"]}
    if source["object"] == "charge":
        return source
    return {**entry, "metadata": source.get("metadata")}
