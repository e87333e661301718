"""Checkout sessions: a page on which a customer pays. Here a control call stands for the customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import cards, lists, metadata
from sandbox.currencies import check_amount, check_currency
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import made, new_id
from sandbox.resources import charging, customers, payment_intents, payment_methods, prices, products, subscriptions

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_LONGEST = 24 * 60 * 60  # seconds that a session may stay open
_SHORTEST = 30 * 60
_MOST_LINES = 100
_OF_INTENT = {"description", "metadata", "setup_future_usage", "receipt_email", "statement_descriptor_suffix"}


def complete(work: Work, identifier: str, card: cards.Card) -> Json:
    """Pay the session with ``card`` as its customer would; a decline is raised and leaves it open."""
    session = _current(work, work.get("checkout.session", identifier, param="session", status=404))
    if session["status"] != "open":
        raise invalid(f"The session is {session['status']}, so nobody can pay it.")
    if card.outcome == "settles_later" and session["mode"] == "subscription":
        raise invalid("The sandbox's subscriptions on a page take no card that settles later.")
    customer = session["customer"]
    if customer is None and session["mode"] == "subscription":
        customer = customers.make(work)["id"]
    method = payment_methods.make(work, card, customer=customer)
    paid = _paid(work, session, method)
    is_free = session["amount_total"] == 0
    settled = "unpaid" if card.outcome == "settles_later" else "paid"
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


def _paid(work: Work, session: Json, method: Json) -> dict[str, str]:
    if session["mode"] == "subscription":
        items = [{"price": line["price"]["id"], "quantity": line["quantity"]} for line in _lines(work, session)]
        wanted = {"customer": method["customer"], "items": items, "default_payment_method": method["id"]}
        more = session["sandbox_on_payment"]
        made_of_it = subscriptions.subscribe(work, {**more, **wanted, "payment_behavior": "error_if_incomplete"})
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


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    _check_form(params)
    if not _SHORTEST <= params.get("expires_at", work.now + _LONGEST) - work.now <= _LONGEST:
        raise invalid(
            "The session must expire in no less than 30 minutes and no more than 24 hours.", param="expires_at"
        )
    if "customer" in params:
        work.get("customer", params["customer"], param="customer")
    identifier = new_id("cs_live")
    lines = [_line(work, each, f"line_items[{place}]") for place, each in enumerate(params["line_items"])]
    _check_lines(lines, params["mode"])
    for line in lines:
        work.put({**line, "sandbox_session": identifier})
    total = sum(line["amount_total"] for line in lines)
    currency = lines[0]["currency"]
    if params["mode"] == "payment" and total:
        check_amount(total, currency)
    return work.put(_made(work, identifier, params, total, currency))


def _made(work: Work, identifier: str, params: dict[str, Any], total: int, currency: str) -> Json:
    same = {name: params.get(name) for name in ("cancel_url", "client_reference_id", "customer", "customer_email")}
    fields = made(
        "checkout.session",
        id=identifier,
        adaptive_pricing={"enabled": False},
        amount_subtotal=total,
        amount_total=total,
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        created=work.now,
        currency=currency,
        custom_fields=[],
        custom_text=dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        customer_creation=None if params.get("customer") or params["mode"] == "subscription" else "if_required",
        expires_at=params.get("expires_at", work.now + _LONGEST),
        metadata=metadata.merged({}, params),
        mode=params["mode"],
        payment_method_collection="always" if params["mode"] == "subscription" else "if_required",
        payment_method_options={},
        payment_method_types=["card"],
        payment_status="unpaid",
        phone_number_collection={"enabled": False},
        shipping_options=[],
        status="open",
        success_url=params["success_url"],
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        ui_mode="hosted",
        url=f"https://not-stripe.invalid/c/pay/{identifier}",
        **same,
    )
    later = params.get("payment_intent_data") or params.get("subscription_data") or {}
    return {**fields, "sandbox_on_payment": {**later, "metadata": metadata.merged({}, later)}}


def _check_form(params: dict[str, Any]) -> None:
    for name in ("mode", "success_url", "line_items"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if params["mode"] == "setup":
        raise invalid("The sandbox has no sessions of the mode setup.", param="mode")
    foreign = {"payment": "subscription_data", "subscription": "payment_intent_data"}[params["mode"]]
    if foreign in params:
        raise invalid(f"You can not pass `{foreign}` in `{params['mode']}` mode.", param=foreign)
    unknown = params.get("payment_intent_data", {}).keys() - _OF_INTENT
    unknown |= params.get("subscription_data", {}).keys() - {"description", "metadata"}
    if unknown:
        raise invalid(f"The sandbox does not act on {', '.join(sorted(unknown))} of a session's payment.")
    if "customer" in params and "customer_email" in params:
        raise invalid("You may only specify one of these parameters: customer, customer_email.", param="customer")
    if not 1 <= len(params["line_items"]) <= _MOST_LINES:
        raise invalid(f"A session has 1 to {_MOST_LINES} line items.", param="line_items")


def _line(work: Work, wanted: Json, param: str) -> Json:
    if wanted.keys() - {"price", "price_data", "quantity"} or ("price" in wanted) == ("price_data" in wanted):
        raise invalid("Give a quantity and either price or price_data for each line item.", param=param)
    price = _inline(work, wanted["price_data"], param) if "price_data" in wanted else None
    price = price or work.get("price", wanted["price"], param=f"{param}[price]")
    price = prices.sellable(work, price["id"], price["type"], param=f"{param}[price]")
    quantity = wanted.get("quantity")
    if quantity is None or quantity < 1:
        raise invalid("Quantity is required. Add `quantity` to your line item.", param=f"{param}[quantity]")
    total = price["unit_amount"] * quantity
    return made(
        "item",
        id=new_id("li"),
        amount_discount=0,
        amount_subtotal=total,
        amount_tax=0,
        amount_total=total,
        currency=price["currency"],
        description=work.account.objects[price["product"]]["name"],
        price=price,
        quantity=quantity,
    )


def _inline(work: Work, wanted: Json, param: str) -> Json:
    check_currency(wanted["currency"])
    if "unit_amount" not in wanted or ("product" in wanted) == ("product_data" in wanted):
        raise invalid("Give unit_amount and either product or product_data.", param=f"{param}[price_data]")
    if "product" in wanted:
        product = work.get("product", wanted["product"], param=f"{param}[price_data][product]")
    else:
        product = products.make(work, name=wanted["product_data"]["name"])
    price = prices.make(work, product=product["id"], currency=wanted["currency"], unit_amount=wanted["unit_amount"])
    if every := wanted.get("recurring"):
        period = prices.recurring(every["interval"], every.get("interval_count", 1))
        return work.change(price, type="recurring", recurring=period)
    return price


def _check_lines(lines: list[Json], mode: str) -> None:
    if len({line["currency"] for line in lines}) > 1:
        raise invalid("All line items of a session must have the same currency.", param="line_items")
    kind = "recurring" if mode == "subscription" else "one_time"
    if any(line["price"]["type"] != kind for line in lines):
        raise invalid(f"In `{mode}` mode the sandbox takes {kind} prices alone.", param="line_items")


def _current(work: Work, session: Json) -> Json:
    """Return the session, expired if its time is over."""
    if session["status"] == "open" and session["expires_at"] <= work.now:
        return _expired(work, session)
    return session


def _expired(work: Work, session: Json) -> Json:
    expired = work.change(session, status="expired", url=None)
    work.announce("checkout.session.expired", expired)
    return expired


def _lines(work: Work, session: Json) -> list[Json]:
    return [line for line in work.newest_first("item") if line["sandbox_session"] == session["id"]]


def _retrieve(call: Call) -> Json:
    return _current(call.work, call.work.get("checkout.session", call.id, param="session", status=404))


def _expire(call: Call) -> Json:
    session = _retrieve(call)
    if session["status"] != "open":
        raise StripeError(
            400,
            "invalid_request_error",
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.',
        )
    return _expired(call.work, session)


def _list(call: Call) -> Json:
    where = lists.asked(call, "customer", "payment_intent", "subscription", "status")
    return lists.page(call, "checkout.session", where)


ENDPOINTS: Endpoints = {
    ("POST", "/v1/checkout/sessions"): endpoint(
        _create,
        "mode line_items success_url cancel_url customer customer_email client_reference_id metadata expires_at "
        "payment_intent_data subscription_data",
    ),
    ("GET", "/v1/checkout/sessions/{session}"): endpoint(_retrieve),
    ("POST", "/v1/checkout/sessions/{session}/expire"): endpoint(_expire),
    ("GET", "/v1/checkout/sessions"): listing(_list, "customer payment_intent subscription status created"),
}
