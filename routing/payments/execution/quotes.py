"""Whether what Stripe will collect is more than was planned, and reserved of the caps. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.money import to_text

if TYPE_CHECKING:
    from routing.payments.ledger.models import Payment
    from routing.payments.stripe_api.responses import JSONObject


def over_quote(payment: Payment, found: JSONObject) -> dict[str, str] | None:
    """Return the error of an open invoice or checkout session that comes to more than the quote; None otherwise."""
    quote, due = payment.request.get("max_amount_due"), _amount_due(found)
    if quote is None or due is None or due <= quote:
        return None
    amounts = f"{to_text(due, payment.currency)} instead of {to_text(quote, payment.currency)}"
    return {"code": "amount_due_is_more", "message": f"The {_NAMES[found['object']]} comes to {amounts}{_cause(found)}"}


_NAMES = {"invoice": "invoice", "checkout.session": "checkout session"}


def _amount_due(found: JSONObject) -> int | None:
    match found.get("object"), found.get("status"):
        case "invoice", "open":
            return int(found.get("amount_due") or 0)
        case "checkout.session", "open":
            total = found.get("amount_total")
            return total if isinstance(total, int) else None
        case _:
            return None


def _cause(found: JSONObject) -> str:
    if (found.get("starting_balance") or 0) > 0:
        return ", because the customer owes a balance at Stripe. Settle that balance first."
    if (found.get("total") or 0) > (found.get("subtotal") or 0) or (found.get("total_details") or {}).get("amount_tax"):
        return ", because tax is added to the price. Use a price that includes the tax."
    return ". Compare the price of the route with the customer's invoices in the Stripe Dashboard."
