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
    discounts,
    payment_intents,
    payment_methods,
    promotion_codes,
    setup_intents,
    subscribing,
)

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


@dataclass(frozen=True, slots=True)
class Visit:
    """What the customer does at the page.

    ``currency`` is the one that the page chooses for him, ``promotion_code`` what he types. With ``as_default`` the
    card becomes the customer's default, which a page does not do, but merchants do after it.
    """

    card: cards.Card
    currency: str | None = None
    promotion_code: str | None = None
    as_default: bool = False


def complete(work: Work, identifier: str, visit: Visit) -> Json:
    """Pay the session as its customer would; a decline is raised and leaves it open."""
    session = checkout_sessions.current(work, identifier)
    if session["status"] != "open":
        raise invalid(f"The session is {session['status']}, so nobody can pay it.")
    if visit.card.outcome == "settles_later" and session["mode"] == "subscription":
        raise invalid("The sandbox's subscriptions on a page take no card that settles later.")
    customer = _customer(work, session)
    method = payment_methods.make(work, visit.card)
    done = work.change(
        session,
        **_done(work, session, visit, customer, method),
        customer=customer,
        customer_details={"email": session["customer_email"], "name": None, "phone": None, "tax_exempt": "none"},
        status="complete",
        url=None,
    )
    if visit.as_default and customer:
        settings = {"invoice_settings": {"default_payment_method": method["id"]}}
        customers.revise(work, work.get("customer", customer, param="customer"), settings)
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


def _customer(work: Work, session: Json) -> str | None:
    """Return the session's customer, made where the page makes one."""
    known: str | None = session["customer"]
    if known is None and (session["mode"] == "subscription" or session["customer_creation"] == "always"):
        return str(customers.make(work)["id"])
    return known


def _done(work: Work, session: Json, visit: Visit, customer: str | None, method: Json) -> Json:
    """Do what the page is for; return what the session says of it."""
    if session["mode"] == "setup":
        intent = work.get("setup_intent", session["setup_intent"], param="setup_intent")
        setup_intents.succeed(work, intent, method, customer)
        return {}
    session = _chosen(work, session, visit)
    is_kept = session["mode"] == "subscription" or "setup_future_usage" in session["sandbox_on_payment"]
    if customer and is_kept:
        method = payment_methods.attach(work, method["id"], customer)
    settled = "unpaid" if visit.card.outcome == "settles_later" else "paid"
    paid = {"payment_status": "no_payment_required" if session["amount_total"] == 0 else settled}
    if session["mode"] == "subscription":
        return {**_amounts(session), **paid, **_subscribed(work, session, customer, method)}
    return {**_amounts(session), **paid, **_paid(work, session, customer, method)}


def _amounts(session: Json) -> Json:
    return {
        name: session[name] for name in ("amount_subtotal", "amount_total", "currency", "discounts", "total_details")
    }


def _chosen(work: Work, session: Json, visit: Visit) -> Json:
    """Return the session with the amounts of what its customer chose on the page.

    A page whose session names no currency shows the customer's, where every price has it:
    https://docs.stripe.com/payments/checkout/localize-prices/manual-currency-prices
    """
    currency = visit.currency or session["currency"]
    if currency != session["currency"] and session["sandbox_currency"] is not None:
        raise invalid(f"The session names its currency, {session['currency']}, so its page offers no other.")
    if visit.promotion_code is not None:
        if not session["allow_promotion_codes"]:
            raise invalid("The session was made without allow_promotion_codes, so its page takes no code.")
        code = promotion_codes.named(work, visit.promotion_code)
        session = work.change(session, discounts=[{"coupon": None, "promotion_code": code["id"]}])
    lines = checkout_lines.of_session(work, session["id"])
    wanted = {**session, "discounts": _named(session)}
    return work.change(session, **checkout_sessions.amounts(work, wanted, lines, currency))


def _named(session: Json) -> list[Json]:
    return [{name: each[name] for name in each if each[name] is not None} for each in session["discounts"]]


def _subscribed(work: Work, session: Json, customer: str | None, method: Json) -> dict[str, str]:
    items = [_item(line) for line in checkout_lines.of_session(work, session["id"])]
    wanted = {"customer": customer, "items": items, "default_payment_method": method["id"]}
    same = {"currency": session["currency"], "discounts": _named(session)}
    more = {**session["sandbox_on_payment"], "payment_behavior": "error_if_incomplete"}
    subscription = subscribing.subscribe(work, {**more, **wanted, **same})
    return {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}


def _paid(work: Work, session: Json, customer: str | None, method: Json) -> dict[str, str]:
    currency = session["currency"]
    discounts.redeem(work, _named(session), currency, customer, checkout_session=session["id"])
    if session["amount_total"] == 0:
        return {}
    intent = payment_intents.make(
        work, amount=session["amount_total"], currency=currency, customer=customer, **session["sandbox_on_payment"]
    )
    outcome = cards.of_payment_method(method["card"]["last4"]).outcome
    if outcome == "asks_for_3ds":  # the customer is there and answers the bank
        return {"payment_intent": charging.succeed(work, intent, method)["id"]}
    return {"payment_intent": charging.attempt(work, intent, method, off_session=False)["id"]}


def _item(line: Json) -> Json:
    quantity = {} if line["quantity"] is None else {"quantity": line["quantity"]}
    rates = [each["id"] for each in line["sandbox_tax_rates"]]
    return {"price": line["price"]["id"], "tax_rates": rates, **quantity}
