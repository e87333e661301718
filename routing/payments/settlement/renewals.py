"""Takes the renewals of subscriptions into the ledger: the invoices that Stripe makes by itself for each later period.

Each is one row, whoever hears of it first: a webhook, the backfill or a reconciliation. One that comes to more than the
subscription's price, or that a cap has no room for, is held at Stripe before it is collected, for a person to decide.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, transaction

from routing.caps.triggers import CAP_EXCEEDED, CAP_MISSING
from routing.payments.kinds import (
    INVOICE,
    SUBSCRIPTION,
    Kind,
    payment_id_in,
    subscription_details,
)
from routing.payments.ledger.columns import object_columns
from routing.payments.ledger.models import Payment
from routing.payments.settlement.discrepancies import report
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import FINAL, Status
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.outcomes import object_outcome

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.stripe_api.responses import JSONObject

_BEGINS = (Kind.SUBSCRIPTION, Kind.CHECKOUT)
"""The kinds that begin a subscription."""

_ONLY_AHEAD = frozenset({"draft", "open"})


def take_in(invoice: JSONObject, keys: AccountKeys, *, domain: str) -> Payment | None:
    """Return the renewal's row, which is written if it is new; None where it is held, or not of the router's.

    Raises ``StripeUnavailable`` if it must be held and Stripe does not say that it is.
    """
    if known := Payment.objects.filter(kind=Kind.RENEWAL, domain=domain, invoice_id=invoice["id"]).first():
        return known
    begun = _payment_that_began(invoice, domain)
    if begun is None:
        return None
    status = object_outcome(Kind.RENEWAL, invoice)
    if status is Status.UNKNOWN or status is Status.NEEDS_REVIEW:
        return None
    renewal = _row(invoice, begun, status)
    over = _over_price(renewal, begun)
    if over and invoice["status"] in _ONLY_AHEAD:
        _hold(invoice, keys, begun, over)
        return None
    if reason := _write(renewal):
        _hold(invoice, keys, begun, {"cap": reason})
        return None
    if over:
        report(Discrepancy.Kind.DIFFERENT, domain, invoice["id"], renewal, over)
    return Payment.objects.get(kind=Kind.RENEWAL, domain=domain, invoice_id=invoice["id"])


def show_subscription(subscription: JSONObject, *, domain: str) -> None:
    """Let the payment that began the subscription show its present status."""
    if subscription.get("object") == SUBSCRIPTION.name and (payment_id := payment_id_in(subscription)):
        began = Payment.objects.filter(id=payment_id, domain=domain, kind__in=_BEGINS)
        began.exclude(subscription_status=subscription["status"]).update(subscription_status=subscription["status"])


def _payment_that_began(invoice: JSONObject, domain: str) -> Payment | None:
    """Return the payment that the subscription names, if it is the one that the payment made."""
    details = subscription_details(invoice)
    named = payment_id_in(details)
    payment = Payment.objects.filter(id=named, domain=domain, kind__in=_BEGINS).first() if named else None
    made = (payment.object_id, (payment.result or {}).get("subscription")) if payment else ()
    return payment if details.get("subscription") in made else None


def _row(invoice: JSONObject, begun: Payment, status: Status) -> Payment:
    is_final = status in FINAL
    columns = {"error": None} | object_columns(Kind.RENEWAL, invoice)
    identifier = uuid.uuid4()
    return Payment(
        id=identifier,
        kind=Kind.RENEWAL,
        status=status,
        bot=begun.bot,
        domain=begun.domain,
        category=begun.category,
        token_prefix=begun.token_prefix,
        idempotency_key=f"renewal {identifier}",
        fingerprint=b"",
        currency=invoice["currency"],
        quantity=begun.quantity,
        description=begun.description,
        metadata=begun.metadata,
        region=begun.region,
        product_id=begun.product_id,
        price_id=begun.price_id,
        customer_id=invoice["customer"],
        overrides=begun.overrides,
        registry_version=begun.registry_version,
        request={"calls": []},
        account_id=begun.account_id,
        renewal_of=begun,
        settled_at=datetime.now(UTC) if is_final else None,
        next_attempt_at=None if is_final else datetime.now(UTC),
        **{"amount_minor": invoice.get("amount_due"), **columns},
    )


def _over_price(renewal: Payment, begun: Payment) -> dict[str, Any]:
    """Return where the renewal is for more than the subscription was made for, or in another currency."""
    price = begun.request.get("max_amount_due")
    price = begun.amount_minor if price is None else price
    over: dict[str, Any] = {}
    if renewal.currency != begun.currency:
        over["currency"] = {"ledger": begun.currency, "stripe": renewal.currency}
    if price is not None and (renewal.amount_minor or 0) > price:
        over["amount"] = {"ledger": price, "stripe": renewal.amount_minor}
    return over


def _write(renewal: Payment) -> str:
    """Write the row, unless another process has done so; return why the caps refuse it, empty where they do not."""
    try:
        with transaction.atomic():
            Payment.objects.bulk_create([renewal], ignore_conflicts=True)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) not in {CAP_EXCEEDED, CAP_MISSING}:
            raise
        return str(error.__cause__.diag.message_primary)  # type: ignore[union-attr]  # psycopg's, as its SQLSTATE shows
    return ""


def _hold(invoice: JSONObject, keys: AccountKeys, begun: Payment, why: dict[str, Any]) -> None:
    """Keep Stripe from collecting the invoice by itself, and report it."""
    if invoice.get("auto_advance"):
        path = INVOICE.path_of(str(invoice["id"]))
        held = gateway.post(keys, path, {"auto_advance": False}, idempotency_key=f"hold {invoice['id']}")
        if not held.is_success:
            raise gateway.not_returned(path, held)
    report(Discrepancy.Kind.HELD, begun.domain, str(invoice["id"]), begun, why)
