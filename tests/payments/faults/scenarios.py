"""What may go wrong with one call, as data: where the sender is killed, what Stripe does, and when somebody looks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

ANSWER_SECONDS = 1.0
"""How long senders wait for Stripe here, so that a scenario of lateness takes two seconds and not a minute."""

_LATE = ANSWER_SECONDS + 0.5
_HELD = 0.5

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
"""By what is asked for: the calls at Stripe that make it, or that clear up an invoice which could not be paid."""

FAILURES = {"declined price", "declined subscription", "rejected price"}

_REFUSAL = {"kind": "status", "status": 400, "stored": True, "method": "POST", "path": "/v1/invoices/*/finalize"}
"""What rejects a price, for ever: it leaves a draft with its item."""

FAULTS: dict[str, tuple[dict[str, Any], ...]] = {
    "none": (),
    "refused": (),  # nobody listens where the sender looks for Stripe
    "reset before": ({"kind": "reset_before"},),
    "reset after": ({"kind": "reset_after"},),
    "truncated": ({"kind": "truncate"},),
    "slow drip": ({"kind": "slow_drip", "seconds": 3 * ANSWER_SECONDS},),
    "not JSON": ({"kind": "not_json"},),
    "late": ({"kind": "late", "seconds": _LATE},),
    "401": ({"kind": "status", "status": 401},),
    "409": ({"kind": "status", "status": 409},),
    "429": ({"kind": "status", "status": 429},),
    "500": ({"kind": "status", "status": 500},),
    "500 with effect": ({"kind": "status", "status": 500, "effect": True},),
    "500 for ever": ({"kind": "status", "status": 500, "stored": True},),  # a call without a key: until it is healed
    "503": ({"kind": "status", "status": 503},),
    "reset before, then 429": ({"kind": "reset_before"}, {"kind": "status", "status": 429}),
    "reset after, then 429": ({"kind": "reset_after"}, {"kind": "status", "status": 429}),
    "429, then reset after": ({"kind": "status", "status": 429}, {"kind": "reset_after"}),
}
"""By name: what strikes the call the first time, and the next time."""

CRASHES = (
    "none",
    "in the call",
    "reservation lost",  # killed in T1, which is rolled back
    "reserved",  # killed when T1 is committed and nothing was sent
    "before the call",
    "after the call",
    "before settling",
    "settlement lost",  # killed in T3, which is rolled back
    "settled",  # killed in T3, which is committed
    "before answering",
)
HEALED = ("at once", "25 h later")


@dataclass(frozen=True, slots=True)
class Scenario:
    """``call`` is which of the flow's calls is struck, and where the sender is killed if it is at a call."""

    flow: str
    call: int
    fault: str
    crash: str
    healed: str

    def __str__(self) -> str:
        return f"{self.flow} {self.call + 1}-{self.fault}-{self.crash}-{self.healed}".replace(" ", "_")

    @property
    def is_possible(self) -> bool:
        return not (self.fault == "refused" and self.crash == "in the call")

    @property
    def ends(self) -> set[str]:
        """Return the states that it may end in: it must succeed if Stripe knows its keys and no error under one."""
        if self.flow in FAILURES:
            return {"declined", "rejected", "canceled"}
        is_made = self.healed == "at once" and self.fault not in {"500 for ever", "500 with effect"}
        return {"succeeded"} if is_made else {"succeeded", "declined", "rejected", "canceled", "needs_review"}

    @property
    def struck(self) -> str:
        return FLOWS[self.flow][self.call]

    def strikes(self) -> list[dict[str, Any]]:
        """Return the sandbox's faults in the order of the calls that they strike."""
        method, path = self.struck.split()
        strikes = list(FAULTS[self.fault])
        if self.crash == "in the call" and self.fault != "late":
            strikes.insert(0, {"kind": "latency", "seconds": _HELD})
        if self.fault == "500 for ever" and method != "POST":
            strikes[-1] = {**strikes[-1], "count": None}
        faults = [{"method": method, "path": path, "nth": nth, **strike} for nth, strike in enumerate(strikes, 1)]
        return [*faults, _REFUSAL] if self.flow == "rejected price" else faults


_CALLS = [(flow, call) for flow, paths in FLOWS.items() for call in range(len(paths))]


def every() -> list[Scenario]:
    combined = product(_CALLS, FAULTS, CRASHES, HEALED)
    scenarios = [Scenario(*call, fault, crash, healed) for call, fault, crash, healed in combined]
    return [scenario for scenario in scenarios if scenario.is_possible]


def pairwise() -> list[Scenario]:
    """Return scenarios in which every two values that go together do so at least once: a Latin square."""
    chosen = []
    for (row, call), (column, fault) in product(enumerate(_CALLS), enumerate(FAULTS)):
        round_, place = divmod(row + column, len(CRASHES))
        chosen.append(Scenario(*call, fault, CRASHES[place], HEALED[round_ % len(HEALED)]))
    return [scenario if scenario.is_possible else replace(scenario, crash="none") for scenario in chosen]
