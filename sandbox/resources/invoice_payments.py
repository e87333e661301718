"""Invoice payments: which payment intent pays which invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import lists
from sandbox.endpoints import Call, Endpoints, endpoint, listing
from sandbox.objects import made, new_id
from sandbox.resources import payment_intents

if TYPE_CHECKING:
    from sandbox.objects import Json
    from sandbox.work import Work


def make(work: Work, invoice: Json, intent: Json) -> Json:
    return work.put(
        made(
            "invoice_payment",
            id=new_id("inpay"),
            amount_requested=invoice["amount_due"],
            created=work.now,
            currency=invoice["currency"],
            invoice=invoice["id"],
            is_default=True,
            payment={"payment_intent": intent["id"], "type": "payment_intent"},
            status="open",
            status_transitions={"canceled_at": None, "paid_at": None},
        )
    )


def intent_of(work: Work, invoice: Json) -> Json:
    identifier = _of(work, invoice)["payment"]["payment_intent"]
    return work.get("payment_intent", identifier, param="payment_intent")


def settle(work: Work, invoice: Json, intent: Json) -> None:
    paid = {"canceled_at": None, "paid_at": work.now}
    work.change(_of(work, invoice), status="paid", amount_paid=intent["amount_received"], status_transitions=paid)


def cancel(work: Work, invoice: Json) -> None:
    """Take back the wish to be paid, so that the voided invoice cannot be paid after all."""
    payment_intents.cancel(work, intent_of(work, invoice), "void_invoice")
    canceled = {"canceled_at": work.now, "paid_at": None}
    work.change(_of(work, invoice), status="canceled", status_transitions=canceled)


def _of(work: Work, invoice: Json) -> Json:
    return next(each for each in work.newest_first("invoice_payment") if each["invoice"] == invoice["id"])


def _retrieve(call: Call) -> Json:
    return call.work.get("invoice_payment", call.id, param="invoice_payment", status=404)


def _list(call: Call) -> Json:
    where = lists.asked(call, "invoice", "status")
    if wanted := call.params.get("payment"):
        where["payment"] = [{"payment_intent": wanted.get("payment_intent"), "type": wanted["type"]}]
    return lists.page(call, "invoice_payment", where)


ENDPOINTS: Endpoints = {
    ("GET", "/v1/invoice_payments"): listing(_list, "invoice status payment created"),
    ("GET", "/v1/invoice_payments/{invoice_payment}"): endpoint(_retrieve),
}
