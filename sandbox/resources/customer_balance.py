"""What a customer owes, or has as credit, in each currency: it goes into the next invoice that is finalized.

A positive balance is owed and a negative one is credit, see https://docs.stripe.com/billing/customer/balance. Only
``invoice_credit_balance`` counts the other way round, and that is how the sandbox keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import lists, metadata
from sandbox.currencies import MOST, check_currency, minimum
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid, missing
from sandbox.objects import made, new_id

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work

ACCOUNT_CURRENCY = "usd"


def balance(customer: Json, currency: str | None) -> int:
    """Return what the customer owes in ``currency``; credit is negative."""
    return -int(customer["sandbox_invoice_credit_balance"].get(currency, 0))


def in_currency(work: Work, customer: Json, currency: str) -> Json:
    """Give the customer a default currency, in which ``balance`` is shown from then on."""
    return work.change(customer, currency=currency, balance=balance(customer, currency))


def book(work: Work, customer_id: str, amount: int, kind: str, *, currency: str, **fields: Any) -> Json:
    """Add ``amount`` to what the customer owes, and write the transaction of it."""
    customer = work.get("customer", customer_id, param="customer")
    credit = customer["sandbox_invoice_credit_balance"]
    after = {**credit, currency: credit.get(currency, 0) - amount}
    customer = work.change(customer, sandbox_invoice_credit_balance=after)
    in_currency(work, customer, customer["currency"] or currency)
    entry = {
        "amount": amount,
        "created": work.now,
        "currency": currency,
        "customer": customer_id,
        "ending_balance": -after[currency],
        "metadata": {},
        "type": kind,
        **fields,
    }
    return work.put(made("customer_balance_transaction", id=new_id("cbtxn"), **entry))


def set_to(work: Work, customer: Json, amount: int) -> Json:
    """Make ``amount`` what the customer owes in the default currency; return the customer."""
    currency = customer["currency"] or ACCOUNT_CURRENCY
    change = amount - balance(customer, currency)
    if change:
        book(work, customer["id"], change, "adjustment", currency=currency)
    return work.get("customer", customer["id"], param="customer")


def apply(work: Work, invoice: Json) -> Json:
    """Let the balance into an invoice that is being finalized; return the invoice's amounts.

    What is below the smallest charge, or above the largest, is not collected: it is owed from then on.
    """
    customer = work.get("customer", invoice["customer"], param="customer")
    currency = invoice["currency"]
    starting = balance(customer, currency)
    due = invoice["total"] + starting
    rest = min(due, 0)
    _book_change(work, invoice, rest - starting, "applied_to_invoice")
    if 0 < due < minimum(currency) or due > MOST:
        _book_change(work, invoice, due, "invoice_too_large" if due > MOST else "invoice_too_small")
        rest = due
    collected = due - rest
    return {
        "amount_due": collected,
        "amount_remaining": collected,
        "ending_balance": rest,
        "starting_balance": starting,
    }


def give_back(work: Work, invoice: Json) -> None:
    """Undo what ``apply`` took into an invoice that is void now."""
    _book_change(work, invoice, invoice["starting_balance"], "unapplied_from_invoice")


def _book_change(work: Work, invoice: Json, amount: int, kind: str) -> None:
    if amount:
        book(work, invoice["customer"], amount, kind, currency=invoice["currency"], invoice=invoice["id"])


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    work.get("customer", call.id, param="customer", status=404)
    check_currency(params["currency"])
    if not params["amount"]:
        raise invalid("Amount must be non-zero.", param="amount", code="parameter_invalid_integer")
    given = {"description": params.get("description"), "metadata": metadata.merged({}, params)}
    entry = book(work, call.id, params["amount"], "adjustment", currency=params["currency"], **given)
    work.announce("customer.updated", work.get("customer", call.id, param="customer"))
    return entry


def _retrieve(call: Call) -> Json:
    entry = call.work.get("customer_balance_transaction", call.ids[1], param="id", status=404)
    if entry["customer"] != call.id:
        raise missing("customer_balance_transaction", call.ids[1], param="id", status=404)
    return entry


def _list(call: Call) -> Json:
    call.work.get("customer", call.id, param="customer", status=404)
    where = {**lists.asked(call, "invoice"), "customer": [call.id]}
    return lists.page(call, "customer_balance_transaction", where)


_PATH = "/v1/customers/{customer}/balance_transactions"

ENDPOINTS: Endpoints = {
    ("POST", _PATH): endpoint(_create, "amount currency description metadata"),
    ("GET", f"{_PATH}/{{transaction}}"): endpoint(_retrieve),
    ("GET", _PATH): listing(_list, "invoice created"),
}
