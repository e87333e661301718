"""Compares how money moved: each of Stripe's balance transactions with what the ledger or the router knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments.reconciliation.books import batches, judge_stranger, rows_of, sparing
from routing.payments.reconciliation.pairing import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from routing.payments.answers import JSONObject
    from routing.payments.reconciliation.books import Books, Window

_STRIPES_OWN = frozenset(
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
"""Types that no customer pays or gets, https://docs.stripe.com/reports/balance-transaction-types; others are judged."""


def compare_balance(books: Books, window: Window, *, counted_from: datetime) -> None:
    """Compare the window's balance transactions; sum up those made since ``counted_from``, and before this run."""
    counted = range(int(counted_from.timestamp()), int(books.now.timestamp()))
    for batch in batches(books, "/v1/balance_transactions", window, expand=["data.source"]):
        moved = [_what_moved(entry) for entry in batch if entry["type"] not in _STRIPES_OWN]
        rows = rows_of(moved)
        for found in moved:
            with sparing(books):
                books.tally[Verdict.AGREES if rows.owner(found) else judge_stranger(books, found)] += 1
        for entry in batch:
            if entry["created"] in counted:
                books.money[entry["currency"], entry["type"]] += entry["amount"]
                books.money[entry["currency"], "fees"] -= entry["fee"]


def _what_moved(entry: JSONObject) -> JSONObject:
    """Return the object that the router would know: the intent of a charge or a dispute, the refund, else the entry."""
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
