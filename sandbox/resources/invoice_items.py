"""Invoice items: what a draft invoice bills for, or what waits for the customer's next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists, metadata
from sandbox.currencies import MOST, check_currency
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.errors import StripeError, invalid
from sandbox.objects import NOTICE, made, new_id
from sandbox.resources import customers, invoice_drafts, prices, pricing, tax_rates

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def _create(call: Call) -> Json:
    work, params = call.work, call.params
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = work.get("customer", params["customer"], param="customer")
    invoice = work.get("invoice", params["invoice"], param="invoice") if "invoice" in params else None
    if invoice:
        _check_fits(invoice, params)
        params = {"currency": invoice["currency"], **params}
    billed = _priced(work, params, customer) if "pricing" in params else _plain(params)
    customers.bill_once(work, customer, billed["currency"])
    item = work.put(
        made(
            "invoiceitem",
            id=new_id("ii"),
            customer=params["customer"],
            date=work.now,
            discountable=True,
            discounts=[],
            metadata=metadata.merged({}, params),
            net_amount=billed["amount"],
            period={"start": work.now, "end": work.now},
            proration=False,
            quantity_decimal=str(billed["quantity"]),
            tax_rates=tax_rates.chosen(work, params.get("tax_rates"), "tax_rates"),
            **billed,
        )
    )
    work.announce("invoiceitem.created", item)
    return invoice_drafts.take_in(work, invoice, item) if invoice else item


def _priced(work: Work, params: Json, customer: Json) -> Json:
    identifier = params["pricing"].get("price")
    if identifier is None or "amount" in params:
        raise invalid("Give either pricing[price], or amount with currency.", param="pricing[price]")
    price = prices.sellable(work, identifier, "one_time", param="pricing[price]")
    currency = pricing.currency_for(price, params.get("currency"), customer)
    pricing.check_sold(price, currency, "pricing[price]")
    quantity = params.get("quantity", 1)
    _check_quantity(quantity)
    return {
        "amount": pricing.total(price, currency, quantity),
        "currency": currency,
        "description": params.get("description", work.account.objects[price["product"]]["name"]),
        "pricing": pricing.line(price, currency),
        "quantity": quantity,
    }


def _plain(params: Json) -> Json:
    for name in ("amount", "currency"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if "quantity" in params:
        raise invalid("You may only specify one of these parameters: amount, quantity.", param="quantity")
    check_currency(params["currency"])
    if abs(params["amount"]) > MOST:
        raise invalid(f"Amount must be no more than {MOST}.", param="amount", code="amount_too_large")
    return {
        "amount": params["amount"],
        "currency": params["currency"],
        "description": params.get("description"),
        "quantity": 1,
    }


def _check_quantity(quantity: int) -> None:
    if quantity < 0:
        raise invalid("Invalid non-negative integer", param="quantity", code="parameter_invalid_integer")


def _check_fits(invoice: Json, params: Json) -> None:
    if invoice["status"] != "draft":
        raise StripeError(
            400, "invalid_request_error", "This invoice is no longer editable.", code="invoice_not_editable"
        )
    customer, currency = params["customer"], params.get("currency", invoice["currency"])
    if invoice["customer"] != customer:
        raise invalid(f"The invoice {invoice['id']} belongs to another customer than {customer}.", param="invoice")
    if invoice["currency"] != currency:
        raise invalid(
            f"The currency of the invoice item ({currency}) must match that of the invoice ({invoice['currency']}).",
            param="currency",
        )


def _retrieve(call: Call) -> Json:
    return call.work.get("invoiceitem", call.id, param="invoiceitem", status=404)


def _list(call: Call) -> Json:
    return lists.page(call, "invoiceitem", lists.asked(call, "customer", "invoice"))


def _delete(call: Call) -> Json:
    item = _retrieve(call)
    if item["invoice"] is not None:
        invoice_drafts.leave_out(call.work, call.work.get("invoice", item["invoice"], param="invoice"), item)
    return call.work.put({"id": item["id"], "object": "invoiceitem", "deleted": True, "sandbox": NOTICE})


ENDPOINTS: Endpoints = {
    ("POST", "/v1/invoiceitems"): endpoint(
        _create, "customer invoice pricing amount currency quantity description metadata tax_rates"
    ),
    ("GET", "/v1/invoiceitems/{invoiceitem}"): endpoint(_retrieve),
    ("DELETE", "/v1/invoiceitems/{invoiceitem}"): endpoint(_delete),
    ("GET", "/v1/invoiceitems"): listing(_list, "customer invoice created"),
}
