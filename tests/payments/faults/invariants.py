"""What must hold however a scenario went, once it is healed: the ledger against Stripe's own list of objects."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Stripe
    from tests.payments.faults.ledger_database import LedgerDatabase

_WAITS = {"needs_review", "requires_action", "processing"}

_CAPS = """
SELECT cap.measure, cap.per, cap.currency, cap."limit", usage.reserved, usage.used
FROM routing_cap AS cap JOIN routing_capusage AS usage ON usage.cap_id = cap.id
"""


@dataclass(frozen=True, slots=True)
class Money:
    """What moved, or was sold, at Stripe: an object that the ledger must know."""

    payment: str
    object_id: str
    amount: int
    currency: str
    customer: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    violations: tuple[str, ...]
    left_for_a_person: int


def judged(stripe: Stripe, ledger: LedgerDatabase) -> Verdict:
    """Compare the two, both ways."""
    payments = {str(payment["id"]): payment for payment in ledger.payments()}
    moved = _moved(stripe)
    violations = [
        *_strays(stripe),
        *_twice(moved),
        *(line for money in moved for line in _not_in_the_ledger(money, payments.get(money.payment))),
        *_not_at_stripe(payments, moved),
        *_still_open(payments),
        *_payable(stripe, payments),
        *_for_the_next_invoice(stripe),
        *_wrong_caps(ledger, payments),
        *_wrong_evidence(ledger),
    ]
    return Verdict(tuple(violations), sum(payment["status"] in _WAITS for payment in payments.values()))


def moved_for(stripe: Stripe, payment: str) -> list[Money]:
    return [money for money in _moved(stripe) if money.payment == payment]


def _moved(stripe: Stripe) -> list[Money]:
    intents = [each for each in stripe.objects("payment_intents") if each["status"] == "succeeded"]
    invoices = [each for each in stripe.objects("invoices") if each["status"] == "paid"]
    refunds = [each for each in stripe.objects("refunds") if each["status"] in {"succeeded", "pending"}]
    subscriptions = [each for each in stripe.objects("subscriptions", status="all") if each["status"] == "active"]
    customers = {each["id"]: each["customer"] for each in intents}
    return [
        *(_money(each, each["amount"], each["currency"], each["customer"]) for each in intents if _name(each)),
        *(_money(each, each["amount_paid"], each["currency"], each["customer"]) for each in invoices if _name(each)),
        *(_money(each, each["amount"], each["currency"], customers[each["payment_intent"]]) for each in refunds),
        *(_money(each, _price(each), each["currency"], each["customer"]) for each in subscriptions),
    ]


def _money(found: dict[str, Any], amount: int, currency: str, customer: str | None) -> Money:
    return Money(_name(found), found["id"], amount, currency, customer)


def _name(found: dict[str, Any]) -> str:
    return str((found.get("metadata") or {}).get("payment_id", ""))


def _price(subscription: dict[str, Any]) -> int:
    return sum(item["price"]["unit_amount"] * item["quantity"] for item in subscription["items"]["data"])


def _strays(stripe: Stripe) -> list[str]:
    """Name every payment intent that took money and belongs to nothing that the router made."""
    invoices = {each["id"]: each for each in stripe.objects("invoices")}
    subscriptions = {each["id"] for each in stripe.objects("subscriptions", status="all")}
    strays = []
    for intent in stripe.objects("payment_intents"):
        invoice = invoices.get((intent.get("payment_details") or {}).get("order_reference") or "", {})
        parent = ((invoice.get("parent") or {}).get("subscription_details") or {}).get("subscription")
        if intent["status"] == "succeeded" and not _name(intent) and not _name(invoice) and parent not in subscriptions:
            strays.append(f"{intent['id']} took {intent['amount']} for nobody.")
    return strays


def _twice(moved: list[Money]) -> list[str]:
    by_payment = defaultdict(list)
    for money in moved:
        by_payment[money.payment].append(money.object_id)
    return [f"{payment} was made {len(ids)} times: {ids}." for payment, ids in by_payment.items() if len(ids) > 1]


def _not_in_the_ledger(money: Money, payment: dict[str, Any] | None) -> list[str]:
    if payment is None:
        return [f"{money} has no row in the ledger."]
    if payment["status"] == "needs_review":
        return []
    if payment["status"] != "succeeded":
        return [f"{money} took money, and the ledger calls it {payment['status']}."]
    own = {"charge": "payment_intent_id", "invoice": "invoice_id"}.get(payment["kind"], "object_id")
    written = (payment[own], payment["amount_minor"], payment["currency"], payment["customer_id"])
    there = (money.object_id, money.amount, money.currency, money.customer)
    return [] if written == there else [f"The ledger says {written} of {money}."]


def _not_at_stripe(payments: dict[str, dict[str, Any]], moved: list[Money]) -> list[str]:
    there = {money.payment for money in moved}
    return [
        f"The {payment['kind']} {name} succeeded in the ledger, and Stripe has none."
        for name, payment in payments.items()
        if payment["status"] == "succeeded" and name not in there
    ]


def _still_open(payments: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"The {payment['kind']} {name} is still {payment['status']}: {payment['error']}."
        for name, payment in payments.items()
        if payment["settled_at"] is None and payment["status"] not in _WAITS
    ]


def _payable(stripe: Stripe, payments: dict[str, dict[str, Any]]) -> list[str]:
    """Name every invoice which somebody could still pay although its payment is settled."""
    return [
        f"The invoice {each['id']} is {each['status']}, although its payment is settled."
        for each in stripe.objects("invoices")
        if each["status"] in {"open", "draft"} and (payments.get(_name(each)) or {}).get("settled_at")
    ]


def _for_the_next_invoice(stripe: Stripe) -> list[str]:
    """Name every item which no invoice bills, so that the customer's next one would."""
    return [
        f"{each['id']} waits for another invoice." for each in stripe.objects("invoiceitems") if not each["invoice"]
    ]


def _wrong_caps(ledger: LedgerDatabase, payments: dict[str, dict[str, Any]]) -> list[str]:
    wrong = []
    for cap in ledger.rows(_CAPS):
        under = [each for each in payments.values() if _is_under(cap, each)]
        reserved = sum(_counted(cap, each) for each in under if each["settled_at"] is None)
        used = sum(_counted(cap, each) for each in under if each["status"] == "succeeded")
        if (cap["reserved"], cap["used"]) != (reserved, used):
            wrong.append(f"The cap {cap} reserves other than {reserved}, or counts other than {used}.")
        if cap["reserved"] + cap["used"] > cap["limit"]:
            wrong.append(f"The cap {cap} is exceeded.")
    return wrong


def _wrong_evidence(ledger: LedgerDatabase) -> list[str]:
    """Name what Stripe told that contradicts the ledger, or that was never taken in."""
    reported = ledger.rows("SELECT kind, stripe_id, details FROM routing_discrepancy")
    left = ledger.rows("SELECT event_id, type, last_error FROM routing_webhookevent WHERE applied_at IS NULL")
    return [*(f"A person is told {each}." for each in reported), *(f"{each} is not applied." for each in left)]


def _is_under(cap: dict[str, Any], payment: dict[str, Any]) -> bool:
    return (cap["measure"] == "refunds") == (payment["kind"] == "refund") and cap["currency"] in {
        "",
        payment["currency"],
    }


def _counted(cap: dict[str, Any], payment: dict[str, Any]) -> int:
    return 1 if cap["measure"] == "count" else int(payment["amount_minor"])
