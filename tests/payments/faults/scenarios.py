"""What may go wrong with one call, as data: the fault, where the sender is killed, and when recovery runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

RESPONSE_SECONDS = 1.0
"""How long senders wait for a response in these tests, so that a late one takes two seconds and not a minute."""

_LATE_SECONDS = RESPONSE_SECONDS + 0.5
_LATENCY_SECONDS = 0.5

FLOWS = {
    "amount": ("POST /v1/payment_intents",),
    "price": (
        "POST /v1/invoices",
        "POST /v1/invoiceitems",
        "POST /v1/invoices/*/finalize",
        "POST /v1/invoices/*/pay",
    ),
    "refund": ("POST /v1/refunds",),
    "subscription": ("POST /v1/subscriptions", "POST /v1/invoices/*/pay"),
    "declined price": ("GET /v1/invoices/*", "POST /v1/invoices/*/void"),
    "declined subscription": ("GET /v1/subscriptions/*", "DELETE /v1/subscriptions/*"),
    "rejected price": ("GET /v1/invoiceitems", "DELETE /v1/invoiceitems/*", "DELETE /v1/invoices/*"),
}
"""By request: the calls to Stripe that execute it, or that clean up an invoice which could not be paid."""

FAILURES = {"declined price", "declined subscription", "rejected price"}

_REJECTION = {"kind": "status", "status": 400, "stored": True, "method": "POST", "path": "/v1/invoices/*/finalize"}
"""Rejects a price for good, and leaves a draft with its item."""

FAULTS: dict[str, tuple[dict[str, Any], ...]] = {
    "none": (),
    "connection refused": (),  # the sender itself is given an address where nothing listens
    "reset before": ({"kind": "reset_before"},),
    "reset after": ({"kind": "reset_after"},),
    "truncated": ({"kind": "truncate"},),
    "slow body": ({"kind": "slow_drip", "seconds": 3 * RESPONSE_SECONDS},),
    "not JSON": ({"kind": "not_json"},),
    "late": ({"kind": "late", "seconds": _LATE_SECONDS},),
    "401": ({"kind": "status", "status": 401},),
    "409": ({"kind": "status", "status": 409},),
    "429": ({"kind": "status", "status": 429},),
    "500": ({"kind": "status", "status": 500},),
    "500 with effect": ({"kind": "status", "status": 500, "effect": True},),
    "stored 500": ({"kind": "status", "status": 500, "stored": True},),  # for a call without a key: every time
    "503": ({"kind": "status", "status": 503},),
    "reset before, then 429": ({"kind": "reset_before"}, {"kind": "status", "status": 429}),
    "reset after, then 429": ({"kind": "reset_after"}, {"kind": "status", "status": 429}),
    "429, then reset after": ({"kind": "status", "status": 429}, {"kind": "reset_after"}),
}
"""By name: the faults of the first time that the call is made, the second time, and so on."""

CRASHES = (
    "none",
    "in the call",
    "reservation lost",  # killed in the reserving statement, which is rolled back
    "reserved",  # killed when the reserving statement is committed, and before anything is sent
    "before the call",
    "after the call",
    "before settling",
    "settlement lost",  # killed in the settling statement, which is rolled back
    "settled",  # killed in the settling statement, which is committed
    "before responding",
)
RECOVERIES = ("at once", "25 h later")


@dataclass(frozen=True, slots=True)
class Scenario:
    """``call`` is the index of the flow's call that has the fault, and at which the sender is killed."""

    flow: str
    call: int
    fault: str
    crash: str
    recovery: str

    def __str__(self) -> str:
        return f"{self.flow} {self.call + 1}-{self.fault}-{self.crash}-{self.recovery}".replace(" ", "_")

    @property
    def is_possible(self) -> bool:
        return not (self.fault == "connection refused" and self.crash == "in the call")

    @property
    def allowed_statuses(self) -> set[str]:
        """Return the states that it may end in: succeeded alone while Stripe has the keys and stored no error."""
        if self.flow in FAILURES:
            return {"declined", "rejected", "canceled"}
        must_succeed = self.recovery == "at once" and self.fault not in {"stored 500", "500 with effect"}
        return {"succeeded"} if must_succeed else {"succeeded", "declined", "rejected", "canceled", "needs_review"}

    @property
    def faulty_call(self) -> str:
        return FLOWS[self.flow][self.call]

    def faults(self) -> list[dict[str, Any]]:
        """Return the sandbox's faults, in the order of the calls that have them."""
        method, path = self.faulty_call.split()
        faults = list(FAULTS[self.fault])
        if self.crash == "in the call" and self.fault != "late":
            faults.insert(0, {"kind": "latency", "seconds": _LATENCY_SECONDS})
        if self.fault == "stored 500" and method != "POST":
            faults[-1] = {**faults[-1], "count": None}
        faults = [{"method": method, "path": path, "nth": nth, **fault} for nth, fault in enumerate(faults, 1)]
        return [*faults, _REJECTION] if self.flow == "rejected price" else faults


_CALLS = [(flow, call) for flow, paths in FLOWS.items() for call in range(len(paths))]


def every() -> list[Scenario]:
    combinations = product(_CALLS, FAULTS, CRASHES, RECOVERIES)
    scenarios = [Scenario(*call, fault, crash, recovery) for call, fault, crash, recovery in combinations]
    return [scenario for scenario in scenarios if scenario.is_possible]


def pairwise() -> list[Scenario]:
    """Return scenarios in which every possible pair of values occurs at least once: a Latin square."""
    chosen = []
    for (row, call), (column, fault) in product(enumerate(_CALLS), enumerate(FAULTS)):
        turn, place = divmod(row + column, len(CRASHES))
        chosen.append(Scenario(*call, fault, CRASHES[place], RECOVERIES[turn % len(RECOVERIES)]))
    return [scenario if scenario.is_possible else replace(scenario, crash="none") for scenario in chosen]
