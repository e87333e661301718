"""The calls of Stripe's API for invoices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists, metadata
from sandbox.currencies import check_currency
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import invalid
from sandbox.objects import NOTICE, new_id
from sandbox.resources import customers, discounts, invoice_collection, invoice_drafts, payment_methods, tax_rates
from sandbox.resources.customer_balance import ACCOUNT_CURRENCY
from sandbox.resources.invoice_drafts import refusal

if TYPE_CHECKING:
    from sandbox.objects import Json


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    if params.get("auto_advance") or params.get("collection_method") == "send_invoice":
        raise invalid("The sandbox neither advances nor sends invoices by itself.", param="auto_advance")
    tax_rates.check_not_automatic(params)
    customer = work.get("customer", params["customer"], param="customer")
    if method := params.get("default_payment_method"):
        payment_methods.to_charge(work, method, customer["id"])
    currency = params["currency"] if "currency" in params else customer["currency"] or ACCOUNT_CURRENCY
    check_currency(currency)
    plain = {name: params[name] for name in ("description", "default_payment_method") if name in params}
    customer = customers.bill_once(work, customer, currency)
    identifier = new_id("in")
    if "discounts" in params:
        taken = discounts.redeem(work, params["discounts"], currency, customer["id"], invoice=identifier)
    else:
        taken = discounts.inherited(work, customer, currency)
    invoice = invoice_drafts.make(
        work,
        customer,
        currency,
        identifier=identifier,
        default_tax_rates=tax_rates.chosen(work, params.get("default_tax_rates"), "default_tax_rates"),
        discounts=taken,
        metadata=metadata.merged({}, params),
        **plain,
    )
    if params.get("pending_invoice_items_behavior") == "include":
        invoice = invoice_drafts.take_in_pending(work, invoice)
    work.announce("invoice.created", invoice)
    return invoice


def _mark_uncollectible(call: Call) -> Json:
    return invoice_collection.mark_uncollectible(call.work, _retrieve(call))


def _retrieve(call: Call) -> Json:
    return call.work.get("invoice", call.id, param="invoice", status=404)


def _update(call: Call) -> Json:
    """Stop the invoice from being collected by itself."""
    invoice = _retrieve(call)
    if call.params.get("auto_advance") is not False:
        raise invalid("The sandbox only stops the collection of an invoice.", param="auto_advance")
    if invoice["status"] not in ("draft", "open"):
        raise refusal(invoice, "update", "invoice_not_editable")
    held = call.work.change(invoice, auto_advance=False, automatically_finalizes_at=None, next_payment_attempt=None)
    call.work.announce("invoice.updated", held)
    return held


def _finalize(call: Call) -> Json:
    if call.params.get("auto_advance"):
        raise invalid("The sandbox does not advance invoices by itself.", param="auto_advance")
    return invoice_collection.finalize(call.work, _retrieve(call))


def _pay(call: Call) -> Json:
    off_session = call.params.get("off_session", True)
    return invoice_collection.pay(
        call.work, _retrieve(call), call.params.get("payment_method"), off_session=off_session
    )


def _void(call: Call) -> Json:
    return invoice_collection.void(call.work, _retrieve(call))


def _delete(call: Call) -> Json:
    invoice = _retrieve(call)
    if invoice["status"] != "draft":
        raise refusal(invoice, "delete", "invoice_not_editable")
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
        "default_payment_method discounts default_tax_rates automatic_tax",
    ),
    ("GET", "/v1/invoices/{invoice}"): endpoint(_retrieve),
    ("POST", "/v1/invoices/{invoice}"): endpoint(_update, "auto_advance"),
    ("DELETE", "/v1/invoices/{invoice}"): endpoint(_delete),
    ("POST", "/v1/invoices/{invoice}/finalize"): endpoint(_finalize, "auto_advance"),
    ("POST", "/v1/invoices/{invoice}/pay"): endpoint(_pay, "payment_method off_session"),
    ("POST", "/v1/invoices/{invoice}/void"): endpoint(_void),
    ("POST", "/v1/invoices/{invoice}/mark_uncollectible"): endpoint(_mark_uncollectible),
    ("GET", "/v1/invoices"): listing(_list, "customer status collection_method created"),
}
