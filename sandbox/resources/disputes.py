"""Disputes, which only a customer's bank opens and closes: control does, and the API reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sandbox import lists
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import balance

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

Outcome = Literal["won", "lost"]

_NO_EVIDENCE = {
    "enhanced_eligibility": {},
    "has_evidence": False,
    "past_due": False,
    "submission_count": 0,
    "submission_method": "not_submitted",
}
_TIME_TO_ANSWER = 7 * 24 * 60 * 60  # seconds


def make(work: Work, intent: Json, reason: str, wanted: int | None = None) -> Json:
    """Dispute a payment that succeeded, all of it or ``wanted``: the bank takes that back until it has decided."""
    charge = work.find("charge", intent["latest_charge"] or "")
    if charge is None or charge["status"] != "succeeded" or charge["disputed"]:
        raise invalid(f"{intent['id']} has no succeeded charge that could be disputed, or it is disputed already.")
    amount = wanted or charge["amount"]
    if amount > charge["amount"]:
        raise invalid(f"{intent['id']} comes to {charge['amount']}, so {amount} of it cannot be disputed.")
    identifier = new_id("du")
    taken = _booked(work, charge, identifier, -amount)
    dispute = work.put(
        made(
            "dispute",
            id=identifier,
            amount=amount,
            balance_transactions=[taken],
            charge=charge["id"],
            created=work.now,
            currency=charge["currency"],
            enhanced_eligibility_types=[],
            evidence={"enhanced_evidence": {}},
            evidence_details={"due_by": work.now + _TIME_TO_ANSWER, **_NO_EVIDENCE},
            is_charge_refundable=False,
            metadata={},
            payment_intent=intent["id"],
            reason=reason,
            status="needs_response",
        )
    )
    work.change(charge, disputed=True)
    work.announce("charge.dispute.created", dispute)
    work.announce("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(work: Work, identifier: str, outcome: Outcome) -> Json:
    """Decide a dispute; where it is won, the money comes back."""
    dispute = work.get("dispute", identifier, param="dispute", status=404)
    if dispute["status"] != "needs_response":
        raise invalid(f"{identifier} is closed already: it was {dispute['status']}.")
    closed = work.change(dispute, status=outcome)
    work.announce("charge.dispute.closed", closed)
    if outcome == "lost":
        return closed
    charge = work.get("charge", dispute["charge"], param="charge")
    given_back = _booked(work, charge, identifier, dispute["amount"])
    closed = work.change(closed, balance_transactions=[*dispute["balance_transactions"], given_back])
    work.announce("charge.dispute.funds_reinstated", closed)
    return closed


def _accept(call: Call) -> Json:
    """Lose the dispute, as who does not answer it chooses to."""
    return close(call.work, call.id, "lost")


def _booked(work: Work, charge: Json, dispute: str, amount: int) -> Json:
    said = f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {charge['id']}"
    return balance.book(work, "adjustment", amount, charge["currency"], dispute, said)


def _retrieve(call: Call) -> Json:
    return call.work.get("dispute", call.id, param="dispute", status=404)


def _list(call: Call) -> Json:
    return lists.page(call, "dispute", lists.asked(call, "charge", "payment_intent"))


ENDPOINTS: Endpoints = {
    ("GET", "/v1/disputes/{dispute}"): endpoint(_retrieve),
    ("POST", "/v1/disputes/{dispute}/close"): endpoint(_accept),
    ("GET", "/v1/disputes"): listing(_list, "charge payment_intent created"),
}
