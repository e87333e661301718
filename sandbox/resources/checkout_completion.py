"""What happens at a checkout session's page: a customer pays, and a bank decides. Control stands for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import cards
from sandbox.errors import invalid
from sandbox.resources import (
    charging,
    checkout_lines,
    checkout_sessions,
    customers,
    payment_intents,
    payment_methods,
    subscriptions,
)

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


@dataclass(frozen=True, slots=True)
class Visit:
    """How the customer pays: with ``card``, and in ``currency`` where the page chooses one for him."""

    card: cards.Card
    currency: str | None = None


def complete(work: Work, identifier: str, visit: Visit) -> Json:
    """Pay the session as its customer would; a decline is raised and leaves it open."""
    session = checkout_sessions.current(work, identifier)
    if session["status"] != "open":
        raise invalid(f"The session is {session['status']}, so nobody can pay it.")
    if visit.card.outcome == "settles_later" and session["mode"] == "subscription":
        raise invalid("The sandbox's subscriptions on a page take no card that settles later.")
    session = _localized(work, session, visit.currency)
    customer = session["customer"]
    if customer is None and session["mode"] == "subscription":
        customer = customers.make(work)["id"]
    method = payment_methods.make(work, visit.card, customer=customer)
    paid = _paid(work, session, method)
    is_free = session["amount_total"] == 0
    settled = "unpaid" if visit.card.outcome == "settles_later" else "paid"
    done = work.change(
        session,
        **paid,
        customer=customer,
        customer_details={"email": session["customer_email"], "name": None, "phone": None, "tax_exempt": "none"},
        payment_status="no_payment_required" if is_free else settled,
        status="complete",
        url=None,
    )
    work.announce("checkout.session.completed", done)
    return done


def settle(work: Work, intent: Json) -> None:
    """Let the session that made the payment intent know what its customer's bank has decided."""
    for session in list(work.newest_first("checkout.session")):
        if session["payment_intent"] != intent["id"] or session["payment_status"] != "unpaid":
            continue
        if intent["status"] == "succeeded":
            paid = work.change(session, payment_status="paid")
            work.announce("checkout.session.async_payment_succeeded", paid)
        else:
            work.announce("checkout.session.async_payment_failed", session)


def _localized(work: Work, session: Json, currency: str | None) -> Json:
    if currency in (None, session["currency"]):
        return session
    if session["sandbox_currency"] is not None:
        raise invalid(f"The session names its currency, {session['currency']}, so its page offers no other.")
    return work.change(session, **checkout_lines.in_currency(work, session, str(currency)))


def _paid(work: Work, session: Json, method: Json) -> dict[str, str]:
    if session["mode"] == "subscription":
        items = [_item(line) for line in checkout_lines.of_session(work, session)]
        wanted = {"customer": method["customer"], "items": items, "default_payment_method": method["id"]}
        behavior = {"payment_behavior": "error_if_incomplete", "currency": session["currency"]}
        made_of_it = subscriptions.subscribe(work, {**session["sandbox_on_payment"], **wanted, **behavior})
        return {"subscription": made_of_it["id"], "invoice": made_of_it["latest_invoice"]}
    if session["amount_total"] == 0:
        return {}
    intent = payment_intents.make(
        work,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=method["customer"],
        **session["sandbox_on_payment"],
    )
    outcome = cards.of_payment_method(method["card"]["last4"]).outcome
    if outcome == "asks_for_3ds":  # the customer is there and answers the bank
        return {"payment_intent": charging.succeed(work, intent, method)["id"]}
    return {"payment_intent": charging.attempt(work, intent, method, off_session=False)["id"]}


def _item(line: Json) -> Json:
    quantity = {} if line["quantity"] is None else {"quantity": line["quantity"]}
    return {"price": line["price"]["id"], **quantity}
