"""The calls that a payment makes at Stripe: built once, frozen in the ledger, sent unchanged.

A payment's calls run in order. ``{invoice}`` stands for the id of the invoice that the first call returns.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from routing.payments.stripe_api.sdk import STRIPE_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.identifiers import BotId
    from routing.registry.rules import Route

INVOICE = "{invoice}"
MAX_CALLS = 4
"""Of one payment: the charge of a price."""


class Target(TypedDict):
    path: str
    params: dict[str, Any]


class Call(Target):
    """One POST. ``step`` names it within the payment and is part of its idempotency key."""

    step: str


class FrozenRequest(TypedDict):
    """``max_amount_due`` is what Stripe may collect at most, in minor units; None where that is not known."""

    version: str
    calls: list[Call]
    max_amount_due: int | None


def payment_id(bot: BotId, idempotency_key: str) -> uuid.UUID:
    """Return the id of the one payment of a bot and key. A ledger that was lost gives the same ids again."""
    return uuid.UUID(bytes=hashlib.sha256(f"{bot}\n{idempotency_key}".encode()).digest()[:16])


def stripe_key(payment: uuid.UUID, step: str) -> str:
    """Return the idempotency key of a step at Stripe: the same for ever for the same payment and step."""
    return f"billing-router-{payment}-{step}"


@dataclass(frozen=True, slots=True)
class Payer:
    customer_id: str
    payment_method: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """The description and metadata of a Stripe object."""

    description: str
    metadata: Mapping[str, str]


def charge_amount(route: Route, payer: Payer, annotations: Annotations, *, amount_minor: int) -> FrozenRequest:
    params = {
        "amount": amount_minor,
        "currency": route.currency,
        "customer": payer.customer_id,
        "payment_method": payer.payment_method,
        "confirm": True,
        "off_session": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "description": annotations.description,
        "metadata": dict(annotations.metadata),
    }
    return _frozen(("create", "/v1/payment_intents", _without_empty(params)))


def charge_price(
    route: Route, payer: Payer, annotations: Annotations, *, quantity: int, max_amount_due: int | None
) -> FrozenRequest:
    """Invoice the price and pay the invoice; Stripe does nothing with it by itself."""
    invoice = {
        "customer": payer.customer_id,
        "currency": route.currency,
        "auto_advance": False,
        "collection_method": "charge_automatically",
        "pending_invoice_items_behavior": "exclude",
        "description": annotations.description,
        "metadata": dict(annotations.metadata),
    }
    pricing = {"price": route.price_id}
    item = {"customer": payer.customer_id, "invoice": INVOICE, "pricing": pricing, "quantity": quantity}
    return _frozen(
        ("create", "/v1/invoices", _without_empty(invoice)),
        ("item", "/v1/invoiceitems", item),
        ("finalize", f"/v1/invoices/{INVOICE}/finalize", {"auto_advance": False}),
        ("pay", f"/v1/invoices/{INVOICE}/pay", _pay(payer)),
        max_amount_due=max_amount_due,
    )


def subscribe(
    route: Route, payer: Payer, metadata: Mapping[str, str], *, quantity: int, max_amount_due: int | None
) -> FrozenRequest:
    """Create the subscription without paying, so that its first invoice is looked at before it is paid."""
    params = {
        "customer": payer.customer_id,
        "items": [{"price": route.price_id, "quantity": quantity}],
        "currency": route.currency,
        "payment_behavior": "default_incomplete",
        "off_session": True,
        "default_payment_method": payer.payment_method,
        "metadata": dict(metadata),
        "expand": ["latest_invoice.payments"],
    }
    return _frozen(
        ("create", "/v1/subscriptions", params),
        ("pay", f"/v1/invoices/{INVOICE}/pay", _pay(payer)),
        max_amount_due=max_amount_due,
    )


def refund(payment_intent_id: str, *, amount_minor: int, reason: str, metadata: Mapping[str, str]) -> FrozenRequest:
    """Refund an amount, which is always named: without one Stripe refunds everything."""
    params = {
        "payment_intent": payment_intent_id,
        "amount": amount_minor,
        "reason": reason,
        "metadata": dict(metadata),
    }
    return _frozen(("create", "/v1/refunds", _without_empty(params)))


def open_checkout(
    item: dict[str, Any] | None,
    customer_id: str,
    session: dict[str, Any],
    metadata: dict[str, str],
    *,
    max_amount_due: int | None,
) -> FrozenRequest:
    """Open a session that sells one item, or none. What it creates later carries the payment's metadata too."""
    created = {"subscription": "subscription_data", "setup": "setup_intent_data"}.get(
        session["mode"], "payment_intent_data"
    )
    params = {
        **session,
        "line_items": [item] if item else None,
        "customer": customer_id,
        "client_reference_id": metadata["payment_id"],
        "metadata": metadata,
        created: {"metadata": metadata},
    }
    return _frozen(("create", "/v1/checkout/sessions", _without_empty(params)), max_amount_due=max_amount_due)


def create_customer(fields: Mapping[str, Any], *, metadata: Mapping[str, str]) -> FrozenRequest:
    return _frozen(("create", "/v1/customers", _without_empty({**fields, "metadata": dict(metadata)})))


def with_payment_method(request: FrozenRequest, payment_method: str) -> FrozenRequest | None:
    """Return the request with another payment method, under another idempotency key; None if it is the same.

    Right only where Stripe has rejected the first one, so that nothing was charged under the old key.
    """
    calls = [_with_payment_method(call, payment_method) for call in request["calls"]]
    return None if calls == request["calls"] else FrozenRequest(**{**request, "calls": calls})


def _with_payment_method(call: Call, payment_method: str) -> Call:
    if call["params"].get("payment_method") in (None, payment_method):
        return call
    return Call(
        step=f"{call['step']}-again", path=call["path"], params={**call["params"], "payment_method": payment_method}
    )


def for_invoice(call: Call, invoice_id: str) -> Target:
    """Return the path and params to send, with the invoice's id in its place."""
    params = {name: invoice_id if value == INVOICE else value for name, value in call["params"].items()}
    return Target(path=call["path"].replace(INVOICE, invoice_id), params=params)


def _pay(payer: Payer) -> dict[str, Any]:
    return {"off_session": True, "payment_method": payer.payment_method, "expand": ["payments"]}


def _frozen(*calls: tuple[str, str, dict[str, Any]], max_amount_due: int | None = None) -> FrozenRequest:
    frozen = [Call(step=step, path=path, params=params) for step, path, params in calls]
    return FrozenRequest(version=STRIPE_VERSION, calls=frozen, max_amount_due=max_amount_due)


def _without_empty(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value not in ("", None)}
