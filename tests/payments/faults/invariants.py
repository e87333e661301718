"""What must be true after every scenario, once everything works again: the ledger compared with Stripe's own lists."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Stripe
    from tests.payments.faults.ledger_database import LedgerDatabase

_WAITING = {"needs_review", "requires_action", "processing"}

_CAPS = """
SELECT cap.measure, cap.per, cap.currency, cap."limit", coalesce(sum(usage.reserved), 0) AS reserved,
       coalesce(sum(usage.used), 0) AS used
FROM routing_cap AS cap LEFT JOIN routing_capusage AS usage ON usage.cap_id = cap.id
GROUP BY cap.id
"""


@dataclass(frozen=True, slots=True)
class Movement:
    """An object at Stripe that moved money, or sold a subscription, and that the ledger must have."""

    payment: str
    object_id: str
    amount: int
    currency: str
    customer: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``violations`` is a sentence for each; ``left_open`` counts the payments that wait for a person or a bank."""

    violations: tuple[str, ...]
    left_open: int


def check(stripe: Stripe, ledger: LedgerDatabase) -> Verdict:
    """Compare the two, both ways."""
    payments = {str(payment["id"]): payment for payment in ledger.payments()}
    moved = movements(stripe)
    violations = [
        *_without_a_payment(stripe),
        *_made_twice(moved),
        *(line for each in moved for line in _not_in_the_ledger(each, payments.get(each.payment))),
        *_not_at_stripe(payments, moved),
        *_still_open(payments),
        *_payable(stripe, payments),
        *_for_the_next_invoice(stripe),
        *_wrong_caps(ledger, payments),
        *_wrong_evidence(ledger),
    ]
    return Verdict(tuple(violations), sum(payment["status"] in _WAITING for payment in payments.values()))


def movements_of(stripe: Stripe, payment: str) -> list[Movement]:
    return [movement for movement in movements(stripe) if movement.payment == payment]


def movements(stripe: Stripe) -> list[Movement]:
    """Return all that has moved money, or was sold."""
    intents = [each for each in stripe.objects("payment_intents") if each["status"] == "succeeded"]
    invoices = [each for each in stripe.objects("invoices") if each["status"] == "paid"]
    refunds = [each for each in stripe.objects("refunds") if each["status"] in {"succeeded", "pending"}]
    subscriptions = [each for each in stripe.objects("subscriptions", status="all") if each["status"] == "active"]
    customers = {each["id"]: each["customer"] for each in intents}
    return [
        *(_movement(each, each["amount"], each["customer"]) for each in intents if _payment_id(each)),
        *(_movement(each, each["amount_paid"], each["customer"]) for each in invoices if _payment_id(each)),
        *(_movement(each, each["amount"], customers[each["payment_intent"]]) for each in refunds),
        *(_movement(each, _price(each), each["customer"]) for each in subscriptions),
    ]


def _movement(found: dict[str, Any], amount: int, customer: str | None) -> Movement:
    return Movement(_payment_id(found), found["id"], amount, found["currency"], customer)


def _payment_id(found: dict[str, Any]) -> str:
    """Return the payment that the object names in its metadata."""
    return str((found.get("metadata") or {}).get("payment_id", ""))


def _price(subscription: dict[str, Any]) -> int:
    return sum(item["price"]["unit_amount"] * item["quantity"] for item in subscription["items"]["data"])


def _without_a_payment(stripe: Stripe) -> list[str]:
    """Report every payment intent that succeeded and belongs to nothing that the router made."""
    invoices = {each["id"]: each for each in stripe.objects("invoices")}
    subscriptions = {each["id"] for each in stripe.objects("subscriptions", status="all")}
    reported = []
    for intent in stripe.objects("payment_intents"):
        invoice = invoices.get((intent.get("payment_details") or {}).get("order_reference") or "", {})
        parent = ((invoice.get("parent") or {}).get("subscription_details") or {}).get("subscription")
        is_routers = _payment_id(intent) or _payment_id(invoice) or parent in subscriptions
        if intent["status"] == "succeeded" and not is_routers:
            reported.append(f"{intent['id']} charged {intent['amount']} for no payment.")
    return reported


def _made_twice(movements: list[Movement]) -> list[str]:
    by_payment = defaultdict(list)
    for movement in movements:
        by_payment[movement.payment].append(movement.object_id)
    return [f"{payment} was made {len(ids)} times: {ids}." for payment, ids in by_payment.items() if len(ids) > 1]


def _not_in_the_ledger(movement: Movement, payment: dict[str, Any] | None) -> list[str]:
    if payment is None:
        return [f"{movement} has no row in the ledger."]
    if payment["status"] == "needs_review":
        return []
    if payment["status"] != "succeeded":
        return [f"{movement} moved money, and its status in the ledger is {payment['status']}."]
    id_column = {"charge": "payment_intent_id", "invoice": "invoice_id"}.get(payment["kind"], "object_id")
    in_ledger = (payment[id_column], payment["amount_minor"], payment["currency"], payment["customer_id"])
    at_stripe = (movement.object_id, movement.amount, movement.currency, movement.customer)
    return [] if in_ledger == at_stripe else [f"The ledger has {in_ledger} for {movement}."]


def _not_at_stripe(payments: dict[str, dict[str, Any]], movements: list[Movement]) -> list[str]:
    at_stripe = {movement.payment for movement in movements}
    return [
        f"The {payment['kind']} {payment_id} succeeded in the ledger, and Stripe does not have it."
        for payment_id, payment in payments.items()
        if payment["status"] == "succeeded" and payment_id not in at_stripe
    ]


def _still_open(payments: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"The {payment['kind']} {payment_id} is still {payment['status']}: {payment['error']}."
        for payment_id, payment in payments.items()
        if payment["settled_at"] is None and payment["status"] not in _WAITING
    ]


def _payable(stripe: Stripe, payments: dict[str, dict[str, Any]]) -> list[str]:
    """Report every invoice which somebody could still pay although its payment is settled."""
    return [
        f"The invoice {each['id']} is {each['status']}, although its payment is settled."
        for each in stripe.objects("invoices")
        if each["status"] in {"open", "draft"} and (payments.get(_payment_id(each)) or {}).get("settled_at")
    ]


def _for_the_next_invoice(stripe: Stripe) -> list[str]:
    """Report every item which no invoice bills, so that the customer's next one would."""
    return [
        f"{each['id']} is left for the next invoice." for each in stripe.objects("invoiceitems") if not each["invoice"]
    ]


def _wrong_caps(ledger: LedgerDatabase, payments: dict[str, dict[str, Any]]) -> list[str]:
    wrong = []
    for cap in ledger.rows(_CAPS):
        limited = [each for each in payments.values() if _is_limited(cap, each)]
        reserved = sum(_usage(cap, each) for each in limited if each["settled_at"] is None)
        used = sum(_usage(cap, each) for each in limited if each["status"] == "succeeded")
        if (cap["reserved"], cap["used"]) != (reserved, used):
            wrong.append(f"The cap {cap} should have {reserved} reserved and {used} used.")
        if cap["reserved"] + cap["used"] > cap["limit"]:
            wrong.append(f"The cap {cap} is exceeded.")
    return wrong


def _wrong_evidence(ledger: LedgerDatabase) -> list[str]:
    """Report every discrepancy, and every event that was received and not applied."""
    discrepancies = ledger.rows("SELECT kind, stripe_id, details FROM routing_discrepancy")
    waiting = ledger.rows("SELECT event_id, type, last_error FROM routing_webhookevent WHERE applied_at IS NULL")
    return [*(f"There is a discrepancy: {each}." for each in discrepancies), *(f"{each} waits." for each in waiting)]


def _is_limited(cap: dict[str, Any], payment: dict[str, Any]) -> bool:
    return (cap["measure"] == "refunds") == (payment["kind"] == "refund") and cap["currency"] in {
        "",
        payment["currency"],
    }


def _usage(cap: dict[str, Any], payment: dict[str, Any]) -> int:
    return 1 if cap["measure"] == "count" else int(payment["amount_minor"])
