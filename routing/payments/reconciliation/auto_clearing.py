"""Clears discrepancies that no longer exist, such as a payment that the ledger has again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments.reconciliation.comparison import (
    candidates_for,
    fetch_object,
    is_on_other_account,
    tolerate_unreadable,
)
from routing.payments.reconciliation.matching import COMPARED
from routing.payments.settlement import discrepancies, evidence
from routing.payments.settlement.models import Discrepancy

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.payments.reconciliation.comparison import Comparison

_MOST = 100
"""Checked in one run, whichever they are: a flood of them must not use up the requests for everything else."""


def clear_resolved(comparison: Comparison) -> None:
    """Look at open discrepancies again; what a person must judge in any case stays."""
    still_open = Discrepancy.objects.filter(domain=comparison.domain, cleared_at=None, kind__in=_CHECKS)
    for discrepancy in still_open.select_related("payment").order_by("?")[:_MOST]:
        with tolerate_unreadable(comparison):
            if remark := _CHECKS[discrepancy.kind](comparison, discrepancy):
                discrepancies.clear(discrepancy, by="", remark=remark)


def _bypass(_comparison: Comparison, discrepancy: Discrepancy) -> str:
    shown = discrepancy.details.get("stripe", {})
    found = {"object": shown.get("object", ""), "id": discrepancy.stripe_id, "metadata": shown}
    payment = candidates_for([found]).owner(found)
    return f"Cleared automatically: the ledger now has it as the payment {payment.pk}." if payment else ""


def _missing(comparison: Comparison, discrepancy: Discrepancy) -> str:
    payment = discrepancy.payment
    if payment is None or payment.kind not in COMPARED or is_on_other_account(comparison, payment):
        return ""
    known_id = payment.stripe_id
    found = fetch_object(comparison, payment, known_id)
    return f"Cleared automatically: Stripe now has {known_id}." if found else ""


def _different(comparison: Comparison, discrepancy: Discrepancy) -> str:
    payment = discrepancy.payment
    if payment is None or payment.kind not in COMPARED or is_on_other_account(comparison, payment):
        return ""
    found = fetch_object(comparison, payment, discrepancy.stripe_id)
    if found is None or evidence.differences(payment, found):
        return ""
    return "Cleared automatically: the ledger and Stripe now agree."


_CHECKS: dict[str, Callable[[Comparison, Discrepancy], str]] = {
    Discrepancy.Kind.BYPASS: _bypass,
    Discrepancy.Kind.MISSING: _missing,
    Discrepancy.Kind.DIFFERENT: _different,
}
"""By kind: the remark with which it is cleared, or nothing while it is still so."""
