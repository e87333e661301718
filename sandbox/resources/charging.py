"""One attempt to charge a payment method for a payment intent: the charge, the money and the events that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import cards
from sandbox.errors import StripeError
from sandbox.objects import made, new_id
from sandbox.resources import balance

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def attempt(work: Work, intent: Json, method: Json, *, off_session: bool, error_on_action: bool = False) -> Json:
    """Charge ``method`` and return the intent as it then is; raise the 402 of a decline, which leaves it behind."""
    outcome = cards.of_payment_method(method["card"]["last4"]).outcome
    if outcome == "approved_once" and _was_charged(work, method):
        outcome = cards.DECLINED
    intent = work.change(intent, payment_method=method["id"], last_payment_error=None, next_action=None)
    if method["customer"] is None:
        method = work.change(method, sandbox_used_up=True)
    if outcome == "asks_for_3ds" and not off_session and not error_on_action:
        return _waits_for_customer(work, intent)
    if outcome == "asks_for_3ds":
        outcome = cards.AUTHENTICATION_REQUIRED
    if isinstance(outcome, cards.Decline):
        raise _decline(work, intent, method, outcome)
    if outcome == "settles_later":
        return _processes(work, intent, method)
    return succeed(work, intent, method)


def _was_charged(work: Work, method: Json) -> bool:
    return any(each["payment_method"] == method["id"] and each["paid"] for each in work.newest_first("charge"))


def succeed(work: Work, intent: Json, method: Json) -> Json:
    """Take the money, or only hold it where the intent is captured by hand."""
    intent = work.change(intent, payment_method=method["id"], last_payment_error=None)
    is_held = intent["capture_method"] == "manual"
    charge = _charge(work, intent, method, status="succeeded", captured=not is_held)
    work.announce("charge.succeeded", charge)
    if is_held:
        held = work.change(
            intent, status="requires_capture", amount_capturable=intent["amount"], latest_charge=charge["id"]
        )
        work.announce("payment_intent.amount_capturable_updated", held)
        return held
    return collect(work, intent, charge, intent["amount"])


def collect(work: Work, intent: Json, charge: Json, amount: int) -> Json:
    """Book ``amount`` of the charge to the balance; what is not collected of a held charge goes back."""
    entry = balance.book(work, "charge", amount, charge["currency"], charge["id"], charge["description"])
    charge = work.change(
        charge,
        amount_captured=amount,
        balance_transaction=entry["id"],
        captured=True,
        paid=True,
        status="succeeded",
        amount_refunded=charge["amount"] - amount,
    )
    paid = work.change(
        intent,
        status="succeeded",
        amount_capturable=0,
        amount_received=amount,
        latest_charge=charge["id"],
        next_action=None,
        processing=None,
    )
    work.announce("payment_intent.succeeded", paid)
    return paid


def fail(work: Work, intent: Json, method: Json, decline: cards.Decline, charge: Json | None = None) -> Json:
    """Leave the intent as a decline leaves it, with the failed charge, and return it."""
    failure = {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": _outcome(decline),
        "paid": False,
        "status": "failed",
    }
    charge = work.change(charge or _charge(work, intent, method, status="failed", captured=False), **failure)
    problem = _problem(decline, charge["id"], method)
    failed = work.change(
        intent,
        status="requires_payment_method",
        last_payment_error=problem,
        latest_charge=charge["id"],
        payment_method=None,
        processing=None,
        next_action=None,
    )
    work.announce("charge.failed", charge)
    work.announce("payment_intent.payment_failed", failed)
    return failed


def _decline(work: Work, intent: Json, method: Json, decline: cards.Decline) -> StripeError:
    failed = fail(work, intent, method, decline)
    problem = failed["last_payment_error"]
    carried = {name: value for name, value in problem.items() if name not in ("type", "code", "message", "doc_url")}
    return StripeError(402, "card_error", decline.message, code=decline.code, payment_intent=failed, **carried)


def _problem(decline: cards.Decline, charge: str, method: Json) -> Json:
    return {
        "advice_code": decline.advice_code,
        "charge": charge,
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": method,
        "type": "card_error",
    }


def _waits_for_customer(work: Work, intent: Json) -> Json:
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    waiting = work.change(intent, status="requires_action", next_action=action)
    work.announce("payment_intent.requires_action", waiting)
    return waiting


def _processes(work: Work, intent: Json, method: Json) -> Json:
    charge = _charge(work, intent, method, status="pending", captured=True)
    processing = work.change(intent, status="processing", latest_charge=charge["id"], processing={"type": "card"})
    work.announce("charge.pending", charge)
    work.announce("payment_intent.processing", processing)
    return processing


def _charge(work: Work, intent: Json, method: Json, *, status: str, captured: bool) -> Json:
    fields: dict[str, Any] = {
        name: intent[name]
        for name in ("amount", "currency", "customer", "description", "metadata", "receipt_email", "shipping")
    }
    return work.put(
        made(
            "charge",
            id=new_id("ch"),
            amount_captured=0,
            amount_refunded=0,
            billing_details=method["billing_details"],
            captured=captured,
            created=work.now,
            disputed=False,
            fraud_details={},
            outcome=_outcome(None),
            paid=status == "succeeded",
            payment_intent=intent["id"],
            payment_method=method["id"],
            payment_method_details={"card": method["card"], "type": "card"},
            refunded=False,
            statement_descriptor_suffix=intent["statement_descriptor_suffix"],
            status=status,
            **fields,
        )
    )


def _outcome(decline: cards.Decline | None) -> Json:
    return {
        "advice_code": decline.advice_code if decline else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": decline.decline_code if decline else None,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details." if decline else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }
