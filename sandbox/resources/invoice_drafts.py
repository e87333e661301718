"""Invoices while they are drafts: made, and filled with lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists
from sandbox.errors import StripeError, invalid
from sandbox.objects import made, new_id
from sandbox.resources import customer_balance, discounts, invoice_totals, tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

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
    "status": "draft",
    "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
}


def make(work: Work, customer: Json, currency: str, *, identifier: str | None = None, **fields: Any) -> Json:
    """Make an empty draft. Whoever fills it announces it."""
    chosen = identifier or new_id("in")
    theirs = {f"customer_{name}": customer[name] for name in _COPIED}
    times = dict.fromkeys(("created", "period_end", "period_start"), work.now)
    owed = {"starting_balance": customer_balance.balance(customer, currency)}
    wanted = {**_DRAFT, **owed, **theirs, **times, **fields, "customer": customer["id"], "currency": currency}
    lines = lists.envelope([], f"/v1/invoices/{chosen}/lines")
    return work.put(made("invoice", id=chosen, lines=lines, **wanted))


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


def take_in_pending(work: Work, invoice: Json) -> Json:
    """Bill what waits for the customer's next invoice in this currency; return the invoice."""
    theirs = (invoice["customer"], invoice["currency"])
    waiting = [
        item
        for item in work.newest_first("invoiceitem")
        if item["invoice"] is None and (item["customer"], item["currency"]) == theirs
    ]
    for item in reversed(waiting):
        take_in(work, work.get("invoice", invoice["id"], param="invoice"), item)
    return work.get("invoice", invoice["id"], param="invoice")


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
    return _with_lines(work, invoice, [{**line, "sandbox_tax_rates": sold["tax_rates"]}, *invoice["lines"]["data"]])


def leave_out(work: Work, invoice: Json, item: Json) -> Json:
    """Take the lines of ``item`` off the draft; return the invoice with its new sums."""
    if invoice["status"] != "draft":
        raise refusal(invoice, "change", "invoice_not_editable")
    return _with_lines(work, invoice, [line for line in invoice["lines"]["data"] if not _is_of(line, item)])


def _is_of(line: Json, item: Json) -> bool:
    details = line["parent"]["invoice_item_details"]
    return details is not None and details["invoice_item"] == item["id"]


def _with_lines(work: Work, invoice: Json, lines: list[Json]) -> Json:
    """Return the draft with ``lines``, and with what its discounts and taxes make of them."""
    customer = work.get("customer", invoice["customer"], param="customer")
    reductions = discounts.reductions(work, invoice["discounts"], invoice["currency"])
    fields = invoice_totals.totalled(invoice, lines, reductions, tax_rates.exemption(customer))
    return work.change(invoice, **fields)


def refusal(invoice: Json, wish: str, code: str | None) -> StripeError:
    return invalid(f"You cannot {wish} this invoice: it is {invoice['status']}.", code=code)
