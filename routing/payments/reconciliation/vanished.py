"""Clears discrepancies that are no more, such as a payment that the ledger has again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.payments import discrepancies, evidence
from routing.payments.models import Discrepancy
from routing.payments.reconciliation.books import find, is_elsewhere, rows_of, sparing
from routing.payments.reconciliation.pairing import PROOFS

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.payments.reconciliation.books import Books

_MOST = 100
"""Looked into in one run, whichever they are: a flood of them must not use up the requests for everything else."""


def clear_vanished(books: Books) -> None:
    """Look once more into open discrepancies; what a person must judge in any case stays."""
    still_open = Discrepancy.objects.filter(domain=books.domain, cleared_at=None, kind__in=_CHECKS)
    for discrepancy in still_open.select_related("payment").order_by("?")[:_MOST]:
        with sparing(books):
            if remark := _CHECKS[discrepancy.kind](books, discrepancy):
                discrepancies.clear(discrepancy, by="", remark=remark)


def _bypass(_books: Books, discrepancy: Discrepancy) -> str:
    said = discrepancy.details.get("stripe", {})
    found = {"object": said.get("object", ""), "id": discrepancy.stripe_id, "metadata": said}
    payment = rows_of([found]).owner(found)
    return f"Cleared by itself: the ledger has it now, as the payment {payment.pk}." if payment else ""


def _missing(books: Books, discrepancy: Discrepancy) -> str:
    payment = discrepancy.payment
    if payment is None or payment.kind not in PROOFS or is_elsewhere(books, payment):
        return ""
    proof = PROOFS[payment.kind]
    stripe_id = proof.id_of(payment)
    found = find(books, f"{proof.path}/{stripe_id}") if stripe_id else None
    return f"Cleared by itself: Stripe has {stripe_id} now." if found else ""


def _different(books: Books, discrepancy: Discrepancy) -> str:
    payment = discrepancy.payment
    if payment is None or payment.kind not in PROOFS or is_elsewhere(books, payment):
        return ""
    found = find(books, f"{PROOFS[payment.kind].path}/{discrepancy.stripe_id}") if discrepancy.stripe_id else None
    if found is None or evidence.differences(payment, found):
        return ""
    return "Cleared by itself: the ledger and Stripe say the same now."


_CHECKS: dict[str, Callable[[Books, Discrepancy], str]] = {
    Discrepancy.Kind.BYPASS: _bypass,
    Discrepancy.Kind.MISSING: _missing,
    Discrepancy.Kind.DIFFERENT: _different,
}
"""By kind: the remark with which it is cleared, or nothing while it is still so."""
