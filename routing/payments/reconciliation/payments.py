"""Compares what was paid, both ways: Stripe's lists with the ledger, then the ledger with Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.payments import evidence
from routing.payments.models import Discrepancy, Payment
from routing.payments.reconciliation.books import (
    batches,
    find,
    is_elsewhere,
    judge,
    report_account,
    rows_of,
    sparing,
)
from routing.payments.reconciliation.pairing import PROOFS, Verdict, is_compared
from routing.payments.states import Status

if TYPE_CHECKING:
    from uuid import UUID

    from routing.payments.reconciliation.books import Books, Window

_LISTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/invoices", {"expand": ["data.payments"]}),
    ("/v1/payment_intents", {}),
    ("/v1/subscriptions", {"status": "all"}),
    ("/v1/refunds", {}),
    ("/v1/checkout/sessions", {}),
)


def compare_payments(books: Books, window: Window) -> None:
    """Compare what Stripe made and what the ledger settled in the window."""
    seen = {paid for path, params in _LISTS for paid in _compare_list(books, window, path, params)}
    settled = Payment.objects.filter(
        domain=books.domain, kind__in=PROOFS, status=Status.SUCCEEDED, settled_at__gte=window.start
    )
    if not window.is_last:
        settled = settled.filter(settled_at__lt=window.end)
    unseen = set(settled.order_by().values_list("pk", flat=True)) - seen
    for payment in Payment.objects.filter(pk__in=unseen):
        with sparing(books):
            books.tally[_judge_row(books, payment)] += 1


def _compare_list(books: Books, window: Window, path: str, params: dict[str, Any]) -> set[UUID]:
    """Judge every object of a list; return the payments that they stand for."""
    seen = set()
    for batch in batches(books, path, window, **params):
        rows = rows_of(batch)
        for found in batch:
            payment = rows.owner(found)
            if is_compared(found, payment):
                with sparing(books):
                    books.tally[judge(books, found, payment)] += 1
                seen |= {payment.pk} if payment else set()
    return seen


def _judge_row(books: Books, payment: Payment) -> Verdict:
    """Look up the object of a payment that succeeded and that no list had."""
    proof = PROOFS[payment.kind]
    stripe_id = proof.id_of(payment)
    if is_elsewhere(books, payment):
        return report_account(books, payment, stripe_id)
    found = find(books, f"{proof.path}/{stripe_id}") if stripe_id else None
    if found:
        return judge(books, found, payment)
    said = {"ledger": {"status": payment.status, "amount": payment.amount_minor, "currency": payment.currency}}
    evidence.report(Discrepancy.Kind.MISSING, books.domain, stripe_id, payment, said)
    return Verdict.DIFFERS
