"""Invoices: drafted, filled, finalized, then paid or voided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.currencies import check_currency, minimum
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import NOTICE, made, new_id
from sandbox.resources import charging, customers, invoice_payments, payment_intents, payment_methods

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

_ACCOUNT_CURRENCY = "usd"
_COPIED = ("address", "email", "name", "phone", "shipping", "tax_exempt")  # from the customer, onto the invoice
_SUMS = ("amount_due", "amount_remaining", "subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax")
_DRAFT: Json = {
    **dict.fromkeys(_SUMS, 0),
    "account_country": "US",
    "account_name": "Sandbox (not Stripe)",
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_shipping": 0,
    "attempt_count": 0,
    "attempted": False,
    "auto_advance": False,
    "automatic_tax": {"enabled": False, **dict.fromkeys(("disabled_reason", "liability", "provider", "status"))},
    "billing_reason": "manual",
    "collection_method": "charge_automatically",
    "customer_tax_ids": [],
    "default_tax_rates": [],
    "discounts": [],
    "issuer": {"type": "self"},
    "metadata": {},
    "payment_settings": dict.fromkeys(("default_mandate", "payment_method_options", "payment_method_types")),
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "starting_balance": 0,
    "status": "draft",
    "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
}


def make(work: Work, customer: Json, currency: str, **fields: Any) -> Json:
    """Make an empty draft."""
    identifier = new_id("in")
    theirs = {f"customer_{name}": customer[name] for name in _COPIED}
    times = dict.fromkeys(("created", "period_end", "period_start"), work.now)
    lines = lists.envelope([], f"/v1/invoices/{identifier}/lines")
    wanted = {**_DRAFT, **theirs, **times, **fields, "customer": customer["id"], "currency": currency, "lines": lines}
    invoice = work.put(made("invoice", id=identifier, **wanted))
    work.announce("invoice.created", invoice)
    return invoice


def take_in(work: Work, invoice: Json, item: Json) -> Json:
    """Bill ``item`` on the draft; return the item as it then is."""
    parent = {
        "invoice_item_details": {
            "invoice_item": item["id"],
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": None,
        },
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }
    add_line(work, invoice, item, parent)
    return work.change(item, invoice=invoice["id"])


def add_line(work: Work, invoice: Json, sold: Json, parent: Json) -> Json:
    """Add a line for what ``sold`` says; return the invoice with its new sums."""
    fields = {name: sold[name] for name in ("amount", "currency", "description", "metadata", "period", "quantity")}
    line = made(
        "line_item",
        id=new_id("il"),
        discount_amounts=[],
        discountable=True,
        discounts=[],
        invoice=invoice["id"],
        parent=parent,
        pretax_credit_amounts=[],
        pricing=sold["pricing"],
        quantity_decimal=str(sold["quantity"]),
        subtotal=sold["amount"],
        taxes=[],
        **fields,
    )
    return _with_lines(work, invoice, [line, *invoice["lines"]["data"]])


def leave_out(work: Work, invoice: Json, item: Json) -> Json:
    """Take the lines of ``item`` off the draft; return the invoice with its new sums."""
    if invoice["status"] != "draft":
        raise _refused(invoice, "change", "invoice_not_editable")
    return _with_lines(work, invoice, [line for line in invoice["lines"]["data"] if not _is_of(line, item)])


def _is_of(line: Json, item: Json) -> bool:
    details = line["parent"]["invoice_item_details"]
    return details is not None and details["invoice_item"] == item["id"]


def _with_lines(work: Work, invoice: Json, lines: list[Json]) -> Json:
    total = sum(each["amount"] for each in lines)
    return work.change(invoice, lines={**invoice["lines"], "data": lines}, **dict.fromkeys(_SUMS, total))


def finalize(work: Work, invoice: Json) -> Json:
    """Open the draft for payment; where there is nothing to collect it is paid at once."""
    if invoice["status"] != "draft":
        raise _refused(invoice, "finalize", "invoice_not_editable")
    if invoice["total"] < 0:
        raise invalid("The sandbox has no invoices with a negative total.")
    transitions = {**invoice["status_transitions"], "finalized_at": work.now}
    number = f"{invoice['id'][-8:].upper()}-0001"
    customer = work.get("customer", invoice["customer"], param="customer")
    due = invoice["total"] + customer["balance"]
    opened = work.change(
        invoice,
        status="open",
        status_transitions=transitions,
        number=number,
        effective_at=work.now,
        starting_balance=customer["balance"],
        ending_balance=0,
        amount_due=due,
        amount_remaining=due,
    )
    work.announce("invoice.finalized", opened)
    if due < minimum(invoice["currency"]):
        return _carry_over(work, opened)
    work.change(customer, balance=0)
    intent = payment_intents.make(
        work,
        amount=opened["amount_due"],
        currency=opened["currency"],
        customer=opened["customer"],
        automatic_payment_methods=None,
        capture_method="automatic",
        description=opened["description"] or f"Payment for Invoice {number}",
        payment_details={"customer_reference": None, "order_reference": opened["id"]},
    )
    invoice_payments.make(work, opened, intent)
    return opened


def pay(work: Work, invoice: Json, method_id: str | None, *, off_session: bool = True) -> Json:
    """Charge the open invoice. A decline is raised and leaves it open."""
    if invoice["status"] != "open":
        raise _refused(invoice, "pay", "invoice_already_paid" if invoice["status"] == "paid" else None)
    intent = invoice_payments.intent_of(work, invoice)
    if intent["status"] not in payment_intents.CONFIRMABLE:
        raise _refused(invoice, "pay", None)
    customer = work.get("customer", invoice["customer"], param="customer")
    default = invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if not (method_id or default):
        raise invalid(
            "There is no `default_payment_method` set on this Customer or Invoice. Please use the payment_method "
            "parameter or set one of them.",
            code="resource_missing",
        )
    method = payment_methods.to_charge(work, method_id or default, invoice["customer"])
    invoice = work.change(invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)
    try:
        intent = charging.attempt(work, intent, method, off_session=off_session)
    except StripeError:
        work.announce("invoice.payment_failed", invoice)
        raise
    if intent["status"] == "requires_action":
        work.announce("invoice.payment_action_required", invoice)
        raise StripeError(
            402,
            "card_error",
            "This payment requires additional user action before it can be completed successfully.",
            code="invoice_payment_intent_requires_action",
            payment_intent=intent,
        )
    return settle(work, invoice, intent) if intent["status"] == "succeeded" else invoice


def settle(work: Work, invoice: Json, intent: Json) -> Json:
    """Mark the invoice paid by the intent that succeeded."""
    invoice_payments.settle(work, invoice, intent)
    return _paid(work, work.change(invoice, amount_paid=intent["amount_received"]))


def _paid(work: Work, invoice: Json) -> Json:
    transitions = {**invoice["status_transitions"], "paid_at": work.now}
    paid = work.change(invoice, status="paid", status_transitions=transitions, amount_remaining=0, attempted=True)
    work.announce("invoice.paid", paid)
    work.announce("invoice.payment_succeeded", paid)
    return paid


def _carry_over(work: Work, invoice: Json) -> Json:
    """Collect nothing: what is below the smallest charge is put on the customer's balance, as Stripe does."""
    customer = work.get("customer", invoice["customer"], param="customer")
    balance = customer["balance"] + invoice["total"]
    work.change(customer, balance=balance)
    return _paid(work, work.change(invoice, amount_due=0, ending_balance=balance))


def _refused(invoice: Json, wish: str, code: str | None) -> StripeError:
    return invalid(f"You cannot {wish} this invoice: it is {invoice['status']}.", code=code)


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    if params.get("auto_advance") or params.get("collection_method") == "send_invoice":
        raise invalid("The sandbox neither advances nor sends invoices by itself.", param="auto_advance")
    customer = work.get("customer", params["customer"], param="customer")
    if method := params.get("default_payment_method"):
        payment_methods.to_charge(work, method, customer["id"])
    currency = params["currency"] if "currency" in params else customer["currency"] or _ACCOUNT_CURRENCY
    check_currency(currency)
    plain = {name: params[name] for name in ("description", "default_payment_method") if name in params}
    customer = customers.bill_once(work, customer, currency)
    invoice = make(work, customer, currency, metadata=metadata.merged({}, params), **plain)
    if params.get("pending_invoice_items_behavior") == "include":
        invoice = _with_pending(work, invoice)
    return invoice


def _with_pending(work: Work, invoice: Json) -> Json:
    waiting = [
        item
        for item in work.newest_first("invoiceitem")
        if item["invoice"] is None
        and (item["customer"], item["currency"]) == (invoice["customer"], invoice["currency"])
    ]
    for item in reversed(waiting):
        take_in(work, work.get("invoice", invoice["id"], param="invoice"), item)
    return work.get("invoice", invoice["id"], param="invoice")


def _retrieve(call: Call) -> Json:
    return call.work.get("invoice", call.id, param="invoice", status=404)


def _finalize(call: Call) -> Json:
    if call.params.get("auto_advance"):
        raise invalid("The sandbox does not advance invoices by itself.", param="auto_advance")
    return finalize(call.work, _retrieve(call))


def _pay(call: Call) -> Json:
    off_session = call.params.get("off_session", True)
    return pay(call.work, _retrieve(call), call.params.get("payment_method"), off_session=off_session)


def _void(call: Call) -> Json:
    invoice = _retrieve(call)
    if invoice["status"] != "open":
        raise _refused(invoice, "void", None)
    invoice_payments.cancel(call.work, invoice)
    transitions = {**invoice["status_transitions"], "voided_at": call.work.now}
    voided = call.work.change(invoice, status="void", status_transitions=transitions)
    customer = call.work.get("customer", invoice["customer"], param="customer")
    call.work.change(customer, balance=customer["balance"] + invoice["starting_balance"])
    call.work.announce("invoice.voided", voided)
    return voided


def _delete(call: Call) -> Json:
    invoice = _retrieve(call)
    if invoice["status"] != "draft":
        raise _refused(invoice, "delete", "invoice_not_editable")
    for item in [each for each in call.work.newest_first("invoiceitem") if each["invoice"] == invoice["id"]]:
        call.work.change(item, invoice=None)
    call.work.announce("invoice.deleted", invoice)
    return call.work.put({"id": invoice["id"], "object": "invoice", "deleted": True, "sandbox": NOTICE})


def _list(call: Call) -> Json:
    return lists.page(call, "invoice", lists.asked(call, "customer", "status", "collection_method"))


ENDPOINTS: Endpoints = {
    ("POST", "/v1/invoices"): endpoint(
        _create,
        "customer currency auto_advance collection_method pending_invoice_items_behavior metadata description "
        "default_payment_method",
    ),
    ("GET", "/v1/invoices/{invoice}"): endpoint(_retrieve),
    ("DELETE", "/v1/invoices/{invoice}"): endpoint(_delete),
    ("POST", "/v1/invoices/{invoice}/finalize"): endpoint(_finalize, "auto_advance"),
    ("POST", "/v1/invoices/{invoice}/pay"): endpoint(_pay, "payment_method off_session"),
    ("POST", "/v1/invoices/{invoice}/void"): endpoint(_void),
    ("GET", "/v1/invoices"): listing(_list, "customer status collection_method created"),
}
