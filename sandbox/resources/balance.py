"""The account's balance, which is nothing but the sum of its balance transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.objects import made, new_id

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_UNTIL_AVAILABLE = 2 * 24 * 60 * 60  # seconds of the sandbox's clock


def book(work: Work, kind: str, amount: int, currency: str, source: str, description: str | None) -> Json:  # noqa: PLR0913, PLR0917 (a ledger line has these)
    """Write one line of the account's ledger. The sandbox takes no fee."""
    return work.put(
        made(
            "balance_transaction",
            id=new_id("txn"),
            amount=amount,
            available_on=work.now + _UNTIL_AVAILABLE,
            balance_type="payments",
            created=work.now,
            currency=currency,
            description=description,
            fee=0,
            fee_details=[],
            net=amount,
            reporting_category=kind,
            source=source,
            status="pending",
            type=kind,
        )
    )


def _as_of_now(work: Work, entry: Json) -> Json:
    return {**entry, "status": "available" if entry["available_on"] <= work.now else "pending"}


def _retrieve(call: Call) -> Json:
    sums: dict[str, dict[str, int]] = {"available": {"usd": 0}, "pending": {"usd": 0}}
    for entry in call.work.newest_first("balance_transaction"):
        reached = sums[_as_of_now(call.work, entry)["status"]]
        reached[entry["currency"]] = reached.get(entry["currency"], 0) + entry["net"]
    currencies = sorted(sums["available"] | sums["pending"])
    available, pending = (
        [_amount(sums[state].get(currency, 0), currency) for currency in currencies]
        for state in ("available", "pending")
    )
    return {
        **made("balance", available=available, pending=pending),
        "connect_reserved": [{"amount": 0, "currency": "usd"}],
    }


def _amount(amount: int, currency: str) -> Json:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


def _list_entries(call: Call) -> Json:
    page = lists.page(call, "balance_transaction", lists.asked(call, "currency", "source", "type"))
    return {**page, "data": [_as_of_now(call.work, entry) for entry in page["data"]]}


def _retrieve_entry(call: Call) -> Json:
    entry = call.work.get("balance_transaction", call.id, param="id", status=404)
    return _as_of_now(call.work, entry)


ENDPOINTS: Endpoints = {
    ("GET", "/v1/balance"): endpoint(_retrieve),
    ("GET", "/v1/balance_transactions"): listing(_list_entries, "created currency source type"),
    ("GET", "/v1/balance_transactions/{id}"): endpoint(_retrieve_entry),
}
