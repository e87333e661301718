"""Refunds: money that goes back, never more than came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import cards, lists, metadata
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import made, new_id
from sandbox.resources import balance

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def succeed(work: Work, refund: Json) -> Json:
    succeeded = work.change(refund, status="succeeded", pending_reason=None)
    work.announce("refund.updated", succeeded)
    work.announce("charge.refund.updated", succeeded)
    return succeeded


def fail(work: Work, refund: Json) -> Json:
    """Take the money back into the balance when the customer's bank returns it, weeks after the refund succeeded even.

    What was refunded can then be refunded again: https://docs.stripe.com/refunds#failed-refunds
    """
    identifier, amount, currency = refund["id"], refund["amount"], refund["currency"]
    entry = balance.book(work, "refund_failure", amount, currency, identifier, description="REFUND FAILURE")
    failed = work.change(
        refund,
        status="failed",
        failure_balance_transaction=entry["id"],
        failure_reason="expired_or_canceled_card",
        pending_reason=None,
    )
    charge = work.account.objects[refund["charge"]]
    work.change(charge, amount_refunded=charge["amount_refunded"] - amount, refunded=False)
    work.announce("refund.failed", failed)
    work.announce("refund.updated", failed)
    work.announce("charge.refund.updated", failed)
    return failed


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    charge = _charge(call)
    if _is_charged_back(work, charge):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]  # what was never captured counts as refunded
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = params.get("amount", left)
    if amount < 1:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if amount > left:
        raise invalid(
            f"Refund amount ({amount} {charge['currency']}) is greater than unrefunded amount on charge "
            f"({left} {charge['currency']})",
            param="amount",
        )
    refund = _made(work, charge, amount, params)
    refunded = work.change(charge, amount_refunded=charge["amount_refunded"] + amount, refunded=amount == left)
    work.announce("charge.refunded", refunded)
    work.announce("refund.created", refund)
    return refund


def _made(work: Work, charge: Json, amount: int, params: Json) -> Json:
    identifier = new_id("re")
    entry = balance.book(work, "refund", -amount, charge["currency"], identifier, description="REFUND FOR CHARGE")
    return work.put(
        made(
            "refund",
            id=identifier,
            amount=amount,
            balance_transaction=entry["id"],
            charge=charge["id"],
            created=work.now,
            currency=charge["currency"],
            customer=charge["customer"],
            destination_details={"card": {"type": "refund"}, "type": "card"},
            metadata=metadata.merged({}, params),
            payment_intent=charge["payment_intent"],
            payment_method=charge["payment_method"],
            reason=params.get("reason"),
            **({"status": "pending", "pending_reason": "processing"} if _is_slow(charge) else {"status": "succeeded"}),
        )
    )


def _is_charged_back(work: Work, charge: Json) -> bool:
    """Say whether a dispute holds the charge's money; one that was won gave it back."""
    return any(each["charge"] == charge["id"] and each["status"] != "won" for each in work.newest_first("dispute"))


def _is_slow(charge: Json) -> bool:
    card = cards.of_payment_method(charge["payment_method_details"]["card"]["last4"])
    return card.outcome == "settles_later"


def _charge(call: Call) -> Json:
    params = call.params
    if ("charge" in params) == ("payment_intent" in params):
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    identifier = params.get("charge")
    if identifier is None:
        intent = call.work.get("payment_intent", params["payment_intent"], param="payment_intent")
        identifier = intent["latest_charge"] if intent["status"] == "succeeded" else None
    if identifier is None:
        raise invalid(
            f"This PaymentIntent ({params['payment_intent']}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    charge = call.work.get("charge", identifier, param="charge")
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid(f"Charge {charge['id']} is not a captured, successful one, so it cannot be refunded.")
    return charge


def _retrieve(call: Call) -> Json:
    return call.work.get("refund", call.id, param="id", status=404)


def _update(call: Call) -> Json:
    refund = _retrieve(call)
    revised = call.work.change(refund, metadata=metadata.merged(refund["metadata"], call.params))
    call.work.announce("refund.updated", revised)
    return revised


def _list(call: Call) -> Json:
    return lists.page(call, "refund", lists.asked(call, "charge", "payment_intent"))


ENDPOINTS: Endpoints = {
    ("POST", "/v1/refunds"): endpoint(_create, "charge payment_intent amount reason metadata"),
    ("GET", "/v1/refunds/{refund}"): endpoint(_retrieve),
    ("POST", "/v1/refunds/{refund}"): endpoint(_update, "metadata"),
    ("GET", "/v1/refunds"): listing(_list, "charge payment_intent created"),
}
