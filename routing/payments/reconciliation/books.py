"""One domain's ledger beside its Stripe account: reads both sides and judges what stands against what."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from routing.errors import StripeUnavailable
from routing.payments import evidence, gateway
from routing.payments.evidence import Finding
from routing.payments.models import Discrepancy, Kind, Payment
from routing.payments.outcomes import of_object
from routing.payments.reconciliation.pairing import (
    COLUMNS,
    PROOFS,
    Rows,
    Verdict,
    as_named,
    created,
    named_payment,
    summary,
)
from routing.payments.states import FINAL, Status

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator, Mapping, Sequence

    from routing.keys import AccountKeys
    from routing.payments.answers import JSONObject

IN_FLIGHT = timedelta(minutes=5)
"""How young an object may be and not be a bypass: the ledger has its id only when its send has ended."""

MOST_UNREAD = 10
"""Objects that Stripe may not give in one run; then it is Stripe that fails, and not one object."""

_BATCH = 100
"""Ids in one look-up; PostgreSQL proves that a partial index serves for up to a hundred."""

_VERDICTS = {
    Finding.ADOPTED: Verdict.ADOPTED,
    Finding.AGREES: Verdict.AGREES,
    Finding.HELD: Verdict.WAITS,
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
        """The window in the words of Stripe's lists."""
        start = {"gte": int(self.start.timestamp())}
        return start if self.is_last else {**start, "lt": int(self.end.timestamp()) + 1}


@dataclass(frozen=True, slots=True)
class Books:
    """``account_id`` is empty where the key may not say it. ``now`` is the database's clock when the run began."""

    domain: str
    account_id: str
    keys: AccountKeys
    starts_at: datetime
    now: datetime
    tally: Counter[Verdict] = field(default_factory=Counter)
    money: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Minor units by currency and type of balance transaction; ``fees`` are those of all types."""
    unread: list[StripeUnavailable] = field(default_factory=list)
    """What Stripe did not give, one object each."""


def batches(books: Books, path: str, window: Window, **params: Any) -> Iterator[list[JSONObject]]:
    """Yield the objects of a list that were created in the window, some at a time."""
    listed = gateway.listed(books.keys, path, {**params, "created": window.created})
    while batch := list(islice(listed, _BATCH)):
        yield batch


def find(books: Books, path: str) -> JSONObject | None:
    """Return the object at ``path``, or None where Stripe says that there is none."""
    answer = gateway.get(books.keys, path)
    if answer.is_success and answer.body is not None:
        return answer.body
    if answer.http_status == HTTPStatus.NOT_FOUND and answer.error.code == "resource_missing":
        return None
    raise StripeUnavailable(f"Stripe did not give {path}: {answer.error.message or 'there was no answer.'}")


def rows_of(objects: Sequence[JSONObject]) -> Rows:
    """Read the rows that the objects may stand for, in a few look-ups however many they are."""
    named = {named for found in objects if (named := named_payment(found))}
    by_stripe_id: dict[str, Payment] = {}
    for kind in {found["object"] for found in objects} & COLUMNS.keys():
        ids = [found["id"] for found in objects if found["object"] == kind]
        having = Payment.objects.filter(**{f"{COLUMNS[kind]}__in": ids}).order_by()
        by_stripe_id |= {getattr(payment, COLUMNS[kind]): payment for payment in having}
    return Rows(Payment.objects.in_bulk(named), by_stripe_id)


@contextmanager
def sparing(books: Books) -> Iterator[None]:
    """Judge one object. Where Stripe does not give what that takes, go on with the next, unless that happens often."""
    try:
        yield
    except StripeUnavailable as error:
        books.unread.append(error)
        if len(books.unread) >= MOST_UNREAD:
            raise


def judge(books: Books, found: JSONObject, payment: Payment | None) -> Verdict:
    """Weigh an object of the account against the payment that it stands for, and report what a person must see."""
    if payment is None:
        return judge_stranger(books, found)
    if is_elsewhere(books, payment):
        return report_account(books, payment, found["id"])
    if payment.domain != books.domain:
        return Verdict.AGREES  # another domain on the same account; its own run compares it
    if _is_in_flight(books, payment):
        return Verdict.WAITS
    if payment.kind not in PROOFS or _agrees(payment, found):
        return Verdict.AGREES
    return _weigh(books, found, payment)


def judge_stranger(books: Books, found: JSONObject) -> Verdict:
    """Report an object that no payment stands for, unless it is on the way, or older than the router.

    What names a payment is the router's own and no history: then the ledger has lost it.
    """
    if books.now - created(found) < IN_FLIGHT:
        return Verdict.WAITS
    if _is_reported(books, found["id"]):
        return Verdict.DIFFERS
    invoice = _invoice_of(books, found)
    if invoice and rows_of([invoice]).owner(invoice):
        return Verdict.AGREES
    named = named_payment(found) or (named_payment(invoice) if invoice else None)
    if named is None and created(found) < books.starts_at.replace(microsecond=0):
        return Verdict.HISTORY
    evidence.report(
        Discrepancy.Kind.BYPASS, books.domain, found["id"], None, {"stripe": _stranger(found, invoice, named)}
    )
    return Verdict.DIFFERS


def is_elsewhere(books: Books, payment: Payment) -> bool:
    """Say whether the payment was made on another account than the one that the domain's key opens."""
    return bool(payment.account_id and books.account_id and payment.account_id != books.account_id)


def report_account(books: Books, payment: Payment, stripe_id: str) -> Verdict:
    said = {"account": {"ledger": payment.account_id, "stripe": books.account_id}}
    evidence.report(Discrepancy.Kind.DIFFERENT, books.domain, stripe_id, payment, said)
    return Verdict.DIFFERS


def _weigh(books: Books, found: JSONObject, payment: Payment) -> Verdict:
    finding = evidence.consider(as_named(found, payment), domain=books.domain, read_after=books.now)
    if finding is Finding.UNCLEAR and payment.status in FINAL:
        said = {"ledger": payment.status, "stripe": found.get("status")}
        evidence.report(Discrepancy.Kind.CONTRADICTED, books.domain, found["id"], payment, said)
        return Verdict.DIFFERS
    return _VERDICTS[finding]


def _agrees(payment: Payment, found: JSONObject) -> bool:
    """Say so of what is settled without locking its row, which nothing changes any more: this is nearly every one."""
    if payment.status not in FINAL or of_object(Kind(payment.kind), found) != payment.status:
        return False
    return not evidence.differences(payment, found)


def _is_in_flight(books: Books, payment: Payment) -> bool:
    return payment.status == Status.SENT and payment.lease_until is not None and payment.lease_until > books.now


def _is_reported(books: Books, stripe_id: str) -> bool:
    still_open = Discrepancy.objects.filter(cleared_at=None)
    return still_open.filter(kind=Discrepancy.Kind.BYPASS, domain=books.domain, stripe_id=stripe_id).exists()


def _invoice_of(books: Books, found: JSONObject) -> JSONObject | None:
    """Return the invoice that a payment intent pays, as Stripe itself says; the intent carries no metadata then."""
    if found["object"] != "payment_intent":
        return None
    of_intent = {"payment": {"type": "payment_intent", "payment_intent": found["id"]}}
    paid = next(gateway.listed(books.keys, "/v1/invoice_payments", of_intent), None)
    return find(books, f"/v1/invoices/{paid['invoice']}") if paid else None


def _stranger(found: JSONObject, invoice: JSONObject | None, named: uuid.UUID | None) -> Mapping[str, Any]:
    return {**summary(found, named), **({"invoice": invoice["id"]} if invoice else {})}
