"""Compares what was paid, both ways: Stripe's lists with the ledger, then the ledger with Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments.kinds import KINDS, Kind
from routing.payments.ledger.models import Payment
from routing.payments.reconciliation.comparison import (
    batches,
    candidates_for,
    compare,
    fetch_object,
    is_on_other_account,
    report_other_account,
    show_refund,
    take_in_renewals,
    tolerate_unreadable,
)
from routing.payments.reconciliation.matching import COMPARED, Verdict, is_compared
from routing.payments.settlement import discrepancies
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import Status

if TYPE_CHECKING:
    from uuid import UUID

    from routing.payments.kinds import KindAtStripe
    from routing.payments.reconciliation.comparison import Comparison, Window

_ORDER = (Kind.INVOICE, Kind.CHARGE, Kind.SUBSCRIPTION, Kind.REFUND, Kind.CHECKOUT)
"""Invoices first: what a payment intent pays is found by its invoice."""


def compare_payments(comparison: Comparison, window: Window) -> None:
    """Compare what Stripe made and what the ledger settled in the window."""
    seen = {paid for kind in _ORDER for paid in _compare_list(comparison, window, KINDS[kind])}
    settled = Payment.objects.filter(
        domain=comparison.domain, kind__in=COMPARED, status=Status.SUCCEEDED, settled_at__gte=window.start
    )
    if not window.is_last:
        settled = settled.filter(settled_at__lt=window.end)
    unseen = set(settled.order_by().values_list("pk", flat=True)) - seen
    for payment in Payment.objects.filter(pk__in=unseen):
        with tolerate_unreadable(comparison):
            comparison.tally[_compare_payment(comparison, payment)] += 1


def _compare_list(comparison: Comparison, window: Window, at_stripe: KindAtStripe) -> set[UUID]:
    """Compare every object of a list; return the payments that they belong to."""
    seen = set()
    for batch in batches(comparison, at_stripe.type.path, window, **at_stripe.list_params):
        take_in_renewals(comparison, batch)
        candidates = candidates_for(batch)
        for found in batch:
            payment = candidates.owner(found)
            if payment is None and found["object"] == "refund":
                with tolerate_unreadable(comparison):
                    show_refund(comparison, found)
            if is_compared(found, payment):
                with tolerate_unreadable(comparison):
                    comparison.tally[compare(comparison, found, payment)] += 1
                seen |= {payment.pk} if payment else set()
    return seen


def _compare_payment(comparison: Comparison, payment: Payment) -> Verdict:
    """Look up the object of a payment that succeeded and that was in no list."""
    known_id = payment.stripe_id
    if is_on_other_account(comparison, payment):
        return report_other_account(comparison, payment, known_id)
    found = fetch_object(comparison, payment, known_id)
    if found:
        return compare(comparison, found, payment)
    details = {"ledger": {"status": payment.status, "amount": payment.amount_minor, "currency": payment.currency}}
    discrepancies.report(Discrepancy.Kind.MISSING, comparison.domain, known_id, payment, details)
    return Verdict.DIFFERS
