"""What a discrepancy means in plain words, what to do about it, and how it is cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models.functions import Now

from routing.money import to_text
from routing.payments.models import Discrepancy

if TYPE_CHECKING:
    from routing.payments.models import Payment

_Kind = Discrepancy.Kind

_ADVICE = {
    _Kind.BYPASS: (
        "Find out who made it: Stripe's dashboard shows the request and its key under Developers, Logs. If anything "
        "but the router holds the key, have it rolled. If it names a payment, ask the platform engineers whether the "
        "ledger was restored. Refund at Stripe what nobody owes."
    ),
    _Kind.MISSING: (
        "Look the id up in Stripe's dashboard, on the account of the payment. If it is not there, the ledger or the "
        "domain's key was changed: tell the platform engineers. Do not charge again until that is known."
    ),
    _Kind.DIFFERENT: (
        "Compare both sides in Stripe's dashboard. Stripe's is what the customer paid: refund or charge the "
        "difference. If the account differs, the domain's key was changed: look the payment up on its own account."
    ),
    _Kind.CONTRADICTED: (
        "Stripe is right about the money. If it was paid although the ledger says otherwise, the bot was told that it "
        "was not: ask the bot's owner whether it was charged again, and refund what is too much."
    ),
    _Kind.DISPUTED: "Answer the dispute in Stripe's dashboard before its deadline, with the bot's owner.",
}


class Saying(NamedTuple):
    """What each side says of one thing; empty where it says nothing."""

    field: str
    ledger: str
    stripe: str


def clear(discrepancy: Discrepancy, *, by: str, remark: str) -> bool:
    """Clear it with a remark; say whether it was still open. ``by`` is a person's name, or empty for the router."""
    still_open = Discrepancy.objects.filter(pk=discrepancy.pk, cleared_at=None)
    return still_open.update(cleared_at=Now(), cleared_by=by, remark=remark.strip()) == 1


def what_happened(discrepancy: Discrepancy) -> str:
    """Return one sentence."""
    match _Kind(discrepancy.kind):
        case _Kind.BYPASS:
            return _bypass(discrepancy.stripe_id, discrepancy.details.get("stripe") or {})
        case _Kind.MISSING:
            return f"{_of(discrepancy)} succeeded, as the ledger says, but Stripe does not have it."
        case _Kind.DIFFERENT | _Kind.CONTRADICTED:
            differing = "; ".join(
                f"{s.field} is {s.ledger} in the ledger and {s.stripe} at Stripe" for s in sides(discrepancy)
            )
            return f"{_of(discrepancy)} is not the same on both sides: {differing or 'see its details'}."
        case _Kind.DISPUTED:
            return f"{_of(discrepancy)} is disputed by the customer."


def what_to_do(discrepancy: Discrepancy) -> str:
    return _ADVICE[_Kind(discrepancy.kind)]


def sides(discrepancy: Discrepancy) -> list[Saying]:
    """Return what the ledger and Stripe say, one thing a line."""
    details = discrepancy.details
    currency = _currency(discrepancy)
    if not details.keys() & {"ledger", "stripe"}:
        said = {
            name: (both.get("ledger"), both.get("stripe")) for name, both in details.items() if isinstance(both, dict)
        }
    else:
        ledger, stripe = (_as_fields(details.get(side)) for side in ("ledger", "stripe"))
        said = {name: (ledger.get(name), stripe.get(name)) for name in {**ledger, **stripe}}
    return [
        Saying(name.replace("_", " "), *(_text(name, value, currency) for value in both)) for name, both in said.items()
    ]


def _as_fields(said: Any) -> dict[str, Any]:
    if isinstance(said, dict):
        return said
    return {} if said is None else {"status": said}


def _bypass(stripe_id: str, said: dict[str, Any]) -> str:
    amount = _text("amount", said.get("amount"), str(said.get("currency", "")))
    what = str(said.get("type") or said.get("object") or "object").replace("_", " ").removesuffix(" intent")
    known = ", ".join(filter(None, (str(said.get("status") or ""), amount, str(said.get("customer") or ""))))
    sentence = f"Stripe has the {what} {stripe_id} ({known or 'no more is known'}), but the ledger does not"
    named = said.get("payment_id")
    return f"{sentence}, although it names the payment {named}." if named else f"{sentence}: it went around the router."


def _of(discrepancy: Discrepancy) -> str:
    payment = discrepancy.payment
    named = f" ({discrepancy.stripe_id})" if discrepancy.stripe_id else ""
    return f"The {_payment(payment)}{named}" if payment else f"The payment {discrepancy.stripe_id}"


def _payment(payment: Payment) -> str:
    what = f"payment of {payment.amount} {payment.currency.upper()}" if payment.amount else payment.get_kind_display()
    return f"{what} by {payment.bot}"


def _currency(discrepancy: Discrepancy) -> str:
    said = discrepancy.details.get("stripe")
    stated = said.get("currency") if isinstance(said, dict) else None
    return str(stated or (discrepancy.payment.currency if discrepancy.payment else ""))


def _text(name: str, value: Any, currency: str) -> str:
    if value is None:
        return ""
    if name.startswith("amount") and isinstance(value, int) and currency:
        return f"{to_text(value, currency)} {currency.upper()}"
    return str(value)
