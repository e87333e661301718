"""The comparison of one domain's ledger with its Stripe account, an object or a payment at a time."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from routing.errors import StripeUnavailable
from routing.payments.kinds import CHARGE, INVOICE, LEDGER_TYPES, Kind, is_renewal, with_payment_id
from routing.payments.ledger.models import Payment
from routing.payments.reconciliation.matching import (
    COMPARED,
    Candidates,
    Verdict,
    created_at,
    named_payment_id,
    summary,
)
from routing.payments.settlement import discrepancies, evidence, renewals
from routing.payments.settlement.evidence import Finding
from routing.payments.settlement.models import Discrepancy
from routing.payments.states import FINAL, Status
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.invoices import fetch_paid_invoice_id
from routing.payments.stripe_api.outcomes import object_outcome

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator, Mapping, Sequence

    from routing.keys import AccountKeys
    from routing.payments.stripe_api.responses import JSONObject

IN_FLIGHT = timedelta(minutes=5)
"""An object younger than this is no bypass yet: the ledger has its id only when its send has ended."""

MAX_UNREADABLE = 10
"""Objects that may be unreadable in one run; then it is Stripe that fails, and not one object."""

_BATCH_SIZE = 100
"""Ids in one look-up; PostgreSQL proves that a partial index serves for up to a hundred."""

_VERDICTS = {
    Finding.ADOPTED: Verdict.ADOPTED,
    Finding.AGREES: Verdict.AGREES,
    Finding.LEASED: Verdict.WAITS,
    Finding.LEFT: Verdict.WAITS,
    Finding.STALE: Verdict.WAITS,
    Finding.UNCLEAR: Verdict.WAITS,
    Finding.DIFFERENT: Verdict.DIFFERS,
    Finding.CONTRADICTED: Verdict.DIFFERS,
    Finding.NO_PAYMENT: Verdict.WAITS,
}


class Window(NamedTuple):
    """Half open. The last window of a run has no end at Stripe, whose clock may be ahead."""

    start: datetime
    end: datetime
    is_last: bool

    @property
    def created(self) -> dict[str, int]:
        """The window as a filter of Stripe's lists."""
        start = {"gte": int(self.start.timestamp())}
        return start if self.is_last else {**start, "lt": int(self.end.timestamp()) + 1}


@dataclass(frozen=True, slots=True)
class Comparison:
    """``account_id`` is empty where the key may not say it. ``now`` is the database's clock when the run began."""

    domain: str
    account_id: str
    keys: AccountKeys
    starts_at: datetime
    now: datetime
    tally: Counter[Verdict] = field(default_factory=Counter)
    money: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Minor units by currency and type of balance transaction; ``fees`` are those of all types."""
    unreadable: list[StripeUnavailable] = field(default_factory=list)
    """One error for each object that Stripe did not return."""


def batches(comparison: Comparison, path: str, window: Window, **params: Any) -> Iterator[list[JSONObject]]:
    """Yield the objects of a list that were created in the window, some at a time."""
    listed = gateway.list_all(comparison.keys, path, {**params, "created": window.created})
    while batch := list(islice(listed, _BATCH_SIZE)):
        yield batch


def candidates_for(objects: Sequence[JSONObject]) -> Candidates:
    """Read the payments that the objects may belong to, in a few queries however many they are."""
    named = {named for found in objects if (named := named_payment_id(found))}
    by_stripe_id: dict[str, Payment] = {}
    for name in {found["object"] for found in objects} & LEDGER_TYPES.keys():
        column, ids = LEDGER_TYPES[name].id_column, [found["id"] for found in objects if found["object"] == name]
        having = Payment.objects.filter(**{f"{column}__in": ids}).order_by()
        by_stripe_id |= {getattr(payment, column): payment for payment in having}
    return Candidates(Payment.objects.in_bulk(named), by_stripe_id)


def take_in_renewals(comparison: Comparison, objects: Sequence[JSONObject]) -> None:
    """Have the ledger know each renewal among the objects, and what became of each subscription."""
    for found in objects:
        renewals.show_subscription(found, domain=comparison.domain)
        if is_renewal(found):
            with tolerate_unreadable(comparison):
                renewals.take_in(found, comparison.keys, domain=comparison.domain)


@contextmanager
def tolerate_unreadable(comparison: Comparison) -> Iterator[None]:
    """Compare one object. Where Stripe does not return it, go on with the next, unless that happens often."""
    try:
        yield
    except StripeUnavailable as error:
        comparison.unreadable.append(error)
        if len(comparison.unreadable) >= MAX_UNREADABLE:
            raise


def compare(comparison: Comparison, found: JSONObject, payment: Payment | None) -> Verdict:
    """Compare an object of the account with the payment that it belongs to; report what a person must see."""
    if payment is None:
        return compare_unmatched(comparison, found)
    if is_on_other_account(comparison, payment):
        return report_other_account(comparison, payment, found["id"])
    if payment.domain != comparison.domain:
        return Verdict.AGREES  # another domain on the same account; its own run compares it
    if _is_in_flight(comparison, payment):
        return Verdict.WAITS
    if payment.kind not in COMPARED or _agrees(payment, found):
        return Verdict.AGREES
    return _apply(comparison, found, payment)


def compare_unmatched(comparison: Comparison, found: JSONObject) -> Verdict:
    """Report an object that belongs to no payment, unless it is in flight, or older than the router.

    What names a payment is the router's own and not older: then the ledger has lost it.
    """
    if comparison.now - created_at(found) < IN_FLIGHT:
        return Verdict.WAITS
    if _is_reported(comparison, found["id"]):
        return Verdict.DIFFERS
    invoice = _fetch_invoice(comparison, found)
    if invoice and candidates_for([invoice]).owner(invoice):
        return Verdict.AGREES
    named = named_payment_id(found) or (named_payment_id(invoice) if invoice else None)
    if named is None and created_at(found) < comparison.starts_at.replace(microsecond=0):
        return Verdict.HISTORY
    details = {"stripe": _unmatched_details(found, invoice, named)}
    discrepancies.report(Discrepancy.Kind.BYPASS, comparison.domain, found["id"], None, details)
    return Verdict.DIFFERS


def show_refund(comparison: Comparison, refund: JSONObject) -> None:
    """Let the payment show what was refunded of it around the router."""
    if charge_id := refund.get("charge"):
        charge = gateway.retrieve(comparison.keys, CHARGE.path_of(str(charge_id)))
        if charge:
            evidence.apply_charge(charge, domain=comparison.domain)


def fetch_object(comparison: Comparison, payment: Payment, stripe_id: str) -> JSONObject | None:
    """Return the object with which the payment is compared; None where it has no id, or is not at Stripe."""
    return gateway.retrieve(comparison.keys, COMPARED[payment.kind].path_of(stripe_id)) if stripe_id else None


def is_on_other_account(comparison: Comparison, payment: Payment) -> bool:
    """Say whether the payment was made on another account than the one that the domain's key opens."""
    return bool(payment.account_id and comparison.account_id and payment.account_id != comparison.account_id)


def report_other_account(comparison: Comparison, payment: Payment, stripe_id: str) -> Verdict:
    details = {"account": {"ledger": payment.account_id, "stripe": comparison.account_id}}
    discrepancies.report(Discrepancy.Kind.DIFFERENT, comparison.domain, stripe_id, payment, details)
    return Verdict.DIFFERS


def _apply(comparison: Comparison, found: JSONObject, payment: Payment) -> Verdict:
    finding = evidence.apply_evidence(
        with_payment_id(found, payment.id), domain=comparison.domain, read_after=comparison.now
    )
    if finding is Finding.UNCLEAR and payment.status in FINAL:
        details = {"ledger": payment.status, "stripe": found.get("status")}
        discrepancies.report(Discrepancy.Kind.CONTRADICTED, comparison.domain, found["id"], payment, details)
        return Verdict.DIFFERS
    return _VERDICTS[finding]


def _agrees(payment: Payment, found: JSONObject) -> bool:
    """Say so of a settled payment without locking its row, which nothing changes any more: this is nearly every one."""
    if payment.status not in FINAL or object_outcome(Kind(payment.kind), found) != payment.status:
        return False
    return not evidence.differences(payment, found)


def _is_in_flight(comparison: Comparison, payment: Payment) -> bool:
    return payment.status == Status.SENT and payment.lease_until is not None and payment.lease_until > comparison.now


def _is_reported(comparison: Comparison, stripe_id: str) -> bool:
    still_open = Discrepancy.objects.filter(cleared_at=None)
    return still_open.filter(kind=Discrepancy.Kind.BYPASS, domain=comparison.domain, stripe_id=stripe_id).exists()


def _fetch_invoice(comparison: Comparison, found: JSONObject) -> JSONObject | None:
    """Return the invoice that a payment intent pays, as Stripe itself says; the intent has no metadata then."""
    if found["object"] != "payment_intent":
        return None
    invoice_id = fetch_paid_invoice_id(comparison.keys, found["id"])
    return gateway.retrieve(comparison.keys, INVOICE.path_of(invoice_id)) if invoice_id else None


def _unmatched_details(found: JSONObject, invoice: JSONObject | None, named: uuid.UUID | None) -> Mapping[str, Any]:
    return {**summary(found, named), **({"invoice": invoice["id"]} if invoice else {})}
