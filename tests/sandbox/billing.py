"""What the tests of billing do again and again, with the very calls that the router makes."""

from __future__ import annotations

from typing import Any


def finalized(merchant, payer, price, *, quantity=1, currency="usd"):
    """Draft, fill and finalize an invoice with the very calls that the router makes."""
    invoice = merchant.v1.invoices.create(
        {
            "customer": payer.customer,
            "currency": currency,
            "auto_advance": False,
            "collection_method": "charge_automatically",
            "pending_invoice_items_behavior": "exclude",
            "metadata": {"payment_id": "p"},
        }
    )
    merchant.v1.invoice_items.create(
        {"customer": payer.customer, "invoice": invoice.id, "pricing": {"price": price}, "quantity": quantity}
    )
    return merchant.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})


def pay(merchant, invoice, payer):
    params = {"off_session": True, "payment_method": payer.method, "expand": ["payments"]}
    return merchant.v1.invoices.pay(invoice.id, params)


def subscribe(merchant, payer, price, **more: Any):
    params = {
        "customer": payer.customer,
        "items": [{"price": price, "quantity": 2}],
        "payment_behavior": "error_if_incomplete",
        "off_session": True,
        "default_payment_method": payer.method,
        "metadata": {"payment_id": "p"},
        **more,
    }
    return merchant.v1.subscriptions.create(params)


def open_session(merchant, price, **more: Any):
    params = {
        "mode": "payment",
        "line_items": [{"price": price, "quantity": 3}],
        "success_url": "https://example.com/done",
        "cancel_url": "https://example.com/back",
        "client_reference_id": "p",
        "metadata": {"payment_id": "p"},
        **more,
    }
    return merchant.v1.checkout.sessions.create(params)


def coupon(merchant, **params: Any):
    return merchant.v1.coupons.create(params).id


def invoiced(merchant, payer, price, **more: Any):
    base = {"customer": payer.customer, "currency": "usd", "auto_advance": False}
    invoice = merchant.v1.invoices.create({**base, **more})
    pricing = {"price": price}
    merchant.v1.invoice_items.create({"customer": payer.customer, "invoice": invoice.id, "pricing": pricing})
    return merchant.v1.invoices.finalize_invoice(invoice.id)


def rate(merchant, percentage=10, *, inclusive=False, **more: Any):
    params = {"display_name": "VAT", "percentage": percentage, "inclusive": inclusive, **more}
    return merchant.v1.tax_rates.create(params).id


def types(merchant, **filters: Any):
    return [event["type"] for event in merchant.control.objects(merchant.key, "events", **filters)]
