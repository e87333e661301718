"""Discrepancies between the ledger and Stripe: reporting and clearing them, and what they mean to a person."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models.functions import Now

from routing.money import to_text
from routing.payments.settlement.models import Discrepancy

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment

_Kind = Discrepancy.Kind

_ADVICE = {
    _Kind.BYPASS: (
        "Find out who made it: in the Stripe Dashboard, Developers > Logs shows the request and its key. If anything "
        "but the router has the key, roll it. If the metadata names a payment, ask the platform engineers whether the "
        "ledger was restored from a backup. Refund in Stripe what the customer did not owe."
    ),
    _Kind.MISSING: (
        "Look up the ID in the Stripe Dashboard, in the payment's account. If it is not there, the ledger or the "
        "domain's key was changed: tell the platform engineers. Do not charge again until that is clear."
    ),
    _Kind.DIFFERENT: (
        "Compare both sides in the Stripe Dashboard. Stripe shows what the customer paid: refund or charge the "
        "difference. If the account differs, the domain's key was changed: look up the payment in its own account."
    ),
    _Kind.HELD: (
        "Nothing was collected, and Stripe does not try by itself. See in the Stripe Dashboard why it comes to that. "
        "If it is right, raise the cap where one is in the way, and charge the invoice there; it is in the ledger once "
        "it is paid. If it is not, void it, and correct or cancel the subscription."
    ),
    _Kind.CONTRADICTED: (
        "Stripe is right about the money. If it was paid at Stripe but not in the ledger, the bot was told that it was "
        "not paid: ask the bot's owner whether the customer was charged again, and refund what was paid twice."
    ),
    _Kind.DISPUTED: "Respond in the Stripe Dashboard before the deadline. Ask the bot's owner for evidence.",
}


class Difference(NamedTuple):
    """A field's value in the ledger and at Stripe; empty where there is none."""

    field: str
    ledger: str
    stripe: str


def report(
    kind: Discrepancy.Kind, domain: str, stripe_id: str, payment: Payment | None, details: dict[str, Any]
) -> Discrepancy:
    """Report a discrepancy, once; what a person cleared is not reported again, what cleared automatically is."""
    found, _ = Discrepancy.objects.get_or_create(
        kind=kind, domain=domain, stripe_id=stripe_id, payment=payment, defaults={"details": details}
    )
    if found.cleared_at is None:
        return found
    auto_cleared = Discrepancy.objects.filter(pk=found.pk, cleared_by="").exclude(cleared_at=None)
    if auto_cleared.update(cleared_at=None, remark="", details=details, found_at=Now()):
        found.refresh_from_db()
    return found


def clear(discrepancy: Discrepancy, *, by: str, remark: str) -> bool:
    """Clear it with a remark; return whether it was still open. ``by`` is a person's name, or empty for the router."""
    still_open = Discrepancy.objects.filter(pk=discrepancy.pk, cleared_at=None)
    return still_open.update(cleared_at=Now(), cleared_by=by, remark=remark.strip()) == 1


def what_happened(discrepancy: Discrepancy) -> str:
    """Return one sentence."""
    match _Kind(discrepancy.kind):
        case _Kind.BYPASS:
            return _bypass(discrepancy.stripe_id, discrepancy.details.get("stripe") or {})
        case _Kind.MISSING:
            return f"{_subject(discrepancy)} succeeded according to the ledger, but it does not exist at Stripe."
        case _Kind.DIFFERENT | _Kind.CONTRADICTED:
            differing = "; ".join(
                f"{each.field} is {each.ledger} in the ledger and {each.stripe} at Stripe"
                for each in differences(discrepancy)
            )
            return f"{_subject(discrepancy)} differs: {differing or 'see its details'}."
        case _Kind.HELD:
            return f"The renewal {discrepancy.stripe_id} of the subscription of {_held_of(discrepancy)}."
        case _Kind.DISPUTED:
            return f"{_subject(discrepancy)} is disputed by the customer{_dispute_summary(discrepancy.details)}."


def what_to_do(discrepancy: Discrepancy) -> str:
    return _ADVICE[_Kind(discrepancy.kind)]


def differences(discrepancy: Discrepancy) -> list[Difference]:
    """Return the fields that differ, or that one side has; none for a dispute."""
    details = discrepancy.details
    currency = _currency(discrepancy)
    if not details.keys() & {"ledger", "stripe"}:
        values = {
            name: (both.get("ledger"), both.get("stripe")) for name, both in details.items() if isinstance(both, dict)
        }
    else:
        ledger, stripe = (_as_fields(details.get(side)) for side in ("ledger", "stripe"))
        values = {name: (ledger.get(name), stripe.get(name)) for name in {**ledger, **stripe}}
    return [
        Difference(name.replace("_", " "), *(_shown(name, value, currency) for value in both))
        for name, both in values.items()
    ]


def _as_fields(shown: Any) -> dict[str, Any]:
    if isinstance(shown, dict):
        return shown
    return {} if shown is None else {"status": shown}


def _bypass(stripe_id: str, shown: dict[str, Any]) -> str:
    amount = _shown("amount", shown.get("amount"), str(shown.get("currency", "")))
    what = str(shown.get("type") or shown.get("object") or "object").replace("_", " ").removesuffix(" intent")
    known = ", ".join(filter(None, (str(shown.get("status") or ""), amount, str(shown.get("customer") or ""))))
    sentence = f"Stripe has the {what} {stripe_id} ({known or 'no details'}), but the ledger does not"
    named = shown.get("payment_id")
    return (
        f"{sentence}, although its metadata names the payment {named}."
        if named
        else f"{sentence}: it was not made through the router."
    )


def _held_of(discrepancy: Discrepancy) -> str:
    whose = discrepancy.payment.bot if discrepancy.payment else "a bot"
    if discrepancy.details.get("cap"):
        return f"{whose} is held, because a cap leaves no room for it"
    over = "; ".join(f"{each.field}: {each.stripe} instead of {each.ledger}" for each in differences(discrepancy))
    return f"{whose} is held, because it is for more than its price ({over})"


def _dispute_summary(details: dict[str, Any]) -> str:
    """Return reason, status and deadline of a dispute in parentheses, as far as they are known."""
    facts = [str(details.get(name) or "").replace("_", " ") for name in ("reason", "status")]
    if answer_by := details.get("answer_by"):
        facts.append(f"respond by {datetime.fromisoformat(answer_by):%Y-%m-%d %H:%M} UTC")
    known = ", ".join(filter(None, facts))
    return f" ({known})" if known else ""


def _subject(discrepancy: Discrepancy) -> str:
    payment = discrepancy.payment
    named = f" ({discrepancy.stripe_id})" if discrepancy.stripe_id else ""
    return f"The {_description(payment)}{named}" if payment else f"The payment {discrepancy.stripe_id}"


def _description(payment: Payment) -> str:
    what = f"payment of {payment.amount} {payment.currency.upper()}" if payment.amount else payment.get_kind_display()
    return f"{what} by {payment.bot}"


def _currency(discrepancy: Discrepancy) -> str:
    shown = discrepancy.details.get("stripe")
    stated = shown.get("currency") if isinstance(shown, dict) else None
    return str(stated or (discrepancy.payment.currency if discrepancy.payment else ""))


def _shown(name: str, value: Any, currency: str) -> str:
    if value is None:
        return ""
    if name.startswith("amount") and isinstance(value, int) and currency:
        return f"{to_text(value, currency)} {currency.upper()}"
    return str(value)
