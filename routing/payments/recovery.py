"""Settles payments whose outcome is open, by evidence and never by guess.

1. Claim one payment that nobody is at work on: lease it with a token of one's own, commit, then work.
2. Its object at Stripe is known and says what became of the payment: adopt that. Otherwise, within 23 hours of the
   first send: send the frozen calls again under the same keys, which repeats the stored answer or does what was never
   done.
3. Later, when a key at Stripe would be a new request: search Stripe's list for the payment's id. Found: adopt it. Not
   found in two searches an hour apart, both a day after the last send: canceled, with the searches as evidence.
4. What cannot be shown so: a person decides.

Any number of processes may do this at once, on any number of machines.
"""

from __future__ import annotations

import logging
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from routing.errors import BillingError
from routing.payments import gateway, ledger, sending
from routing.payments.accounts import keys_of
from routing.payments.facts import facts_of, why_it_failed
from routing.payments.models import Kind, Payment
from routing.payments.outcomes import of_object
from routing.payments.sending import Settlement
from routing.payments.states import Status
from routing.registry import snapshot

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.answers import JSONObject
    from routing.payments.ledger import Claimed

SEARCH_AFTER = timedelta(hours=24)
SEARCHES_APART = timedelta(hours=1)
SEARCHES_NEEDED = 2

GIVE_UP_AFTER = 60
"""Attempts; with the pauses between them some two and a half days."""

RECOVERERS = 4
"""Of one process. Stripe takes 25 requests a second at an endpoint, most of which are for new payments."""

_LONGEST_PAUSE = 3600.0
_CLOCK_MARGIN = timedelta(hours=26)
"""How far the database's and Stripe's clocks and the last send may lie apart, in a search by time of creation."""

_LISTS = {
    Kind.CHARGE: "/v1/payment_intents",
    Kind.INVOICE: "/v1/invoices",
    Kind.CUSTOMER: "/v1/customers",
    Kind.SUBSCRIPTION: "/v1/subscriptions",
    Kind.REFUND: "/v1/refunds",
    Kind.CHECKOUT: "/v1/checkout/sessions",
}

logger = logging.getLogger(__name__)


def settle_open(limit: int | None = None) -> int:
    """Look into every payment that is due, or ``limit`` of them; return how many were looked into."""
    count = 0
    while (limit is None or count < limit) and (claimed := ledger.claim()):
        _settle(claimed)
        count += 1
    return count


def settle_open_together() -> int:
    """Do so several at a time: a payment over which Stripe takes its time holds up few others."""
    with ThreadPoolExecutor(RECOVERERS, thread_name_prefix="recoverer") as threads:
        return sum(threads.map(lambda _: settle_open(), range(RECOVERERS)))


def _settle(claimed: Claimed) -> None:
    payment = claimed.payment
    before = Status(payment.status)
    try:
        settlement = _look_into(claimed)
    except BillingError as error:
        logger.warning("Payment %s could not be looked into: %s", payment.id, error)
        settlement = Settlement(Status.UNKNOWN)
    except Exception:
        logger.exception("What Stripe says of payment %s could not be read.", payment.id)
        settlement = Settlement(Status.UNKNOWN)
    if settlement.status is Status.UNKNOWN:
        is_given_up = before is Status.UNKNOWN and payment.attempts >= GIVE_UP_AFTER
        settlement = replace(settlement, status=Status.NEEDS_REVIEW if is_given_up else before)
    try:
        settled = ledger.settle(payment, settlement.status, settlement.facts, pause=_pause(payment, settlement))
    except psycopg.DatabaseError:
        logger.exception("What became of payment %s could not be written; it is looked into again.", payment.id)
        return
    logger.info("Payment %s was %s and is %s.", payment.id, before, settled.status)


def _look_into(claimed: Claimed) -> Settlement:
    """Return what became of the payment; ``unknown`` where this look has not shown it."""
    payment = claimed.payment
    domain = snapshot.current().table.domains.get(payment.domain)
    if domain is None:
        return Settlement(Status.NEEDS_REVIEW, {"error": {"message": f"The domain {payment.domain!r} is gone."}})
    keys, account_id = keys_of(domain)
    if payment.account_id and account_id and payment.account_id != account_id:
        said = f"It was sent to {payment.account_id}, and the domain's key opens {account_id} by now."
        return Settlement(Status.NEEDS_REVIEW, {"error": {"message": said}})
    known = _known(payment, keys)
    if known.status is not Status.UNKNOWN or payment.status != Status.UNKNOWN:
        return sending.clear_up(payment, keys, known)
    if claimed.now - payment.created_at < ledger.RESEND_WITHIN:
        return _resend(claimed, keys)
    return _search(claimed, keys)


def _known(payment: Payment, keys: AccountKeys) -> Settlement:
    """Return what the object says of which the ledger has the id.

    That an invoice is void does not tell a decline from a cancellation; to send its payment again does.
    """
    kind = Kind(payment.kind)
    known = {Kind.CHARGE: payment.payment_intent_id, Kind.INVOICE: payment.invoice_id}.get(kind, payment.object_id)
    expand = {"expand": ["payments"]} if kind is Kind.INVOICE else {}
    found = gateway.get(keys, f"{_LISTS[kind]}/{known}", expand).body if known else None
    if not found:
        return Settlement(Status.UNKNOWN)
    said = _said_by(kind, found, keys)
    is_void = kind is Kind.INVOICE and said.status is Status.CANCELED and payment.status == Status.UNKNOWN
    return Settlement(Status.UNKNOWN) if is_void else said


def _said_by(kind: Kind, found: JSONObject, keys: AccountKeys) -> Settlement:
    """Return what an object says of its payment; where a slow bank is at it, its payment intent says what of it."""
    status, facts = of_object(kind, found), facts_of(kind, found)
    intent_id = facts.get("payment_intent_id")
    asks_the_bank = kind is Kind.CHECKOUT and status is Status.PROCESSING
    asks_the_bank |= kind is Kind.INVOICE and found.get("status") == "open"
    if not (asks_the_bank and intent_id):
        return Settlement(status, facts)
    intent = gateway.get(keys, f"/v1/payment_intents/{intent_id}").body or {}
    if intent.get("status") == "processing":
        return Settlement(Status.PROCESSING, facts)
    if why := why_it_failed(intent):
        return Settlement(Status.DECLINED, {**facts, "error": why})
    return Settlement(status, facts)


def _resend(claimed: Claimed, keys: AccountKeys) -> Settlement:
    """Send the frozen calls again; where Stripe fails over them, see whether it has made the payment all the same.

    An error that it has stored never changes. One that it has not says that it may still be at work on the payment, so
    that only a success is final then, or that the invoice is void.
    """
    payment = claimed.payment
    ledger.stamp_resend(payment)
    settlement = sending.send(payment, keys, send_before=claimed.send_before, is_resend=True)
    found = _find(payment, keys) if settlement.is_failure else None
    if found is None:
        return sending.clear_up(payment, keys, settlement)
    if settlement.is_stored:
        return _found(payment, keys, found)
    said = _said_by(Kind(payment.kind), found, keys)
    is_void = payment.kind == Kind.INVOICE and said.status is Status.CANCELED
    return said if is_void or said.status is Status.SUCCEEDED else settlement


def _search(claimed: Claimed, keys: AccountKeys) -> Settlement:
    """Search Stripe's list for a payment that is too old to be sent again."""
    payment = claimed.payment
    if found := _find(payment, keys):
        return _found(payment, keys, found)
    if claimed.now - (payment.sent_at or payment.created_at) < SEARCH_AFTER:
        return Settlement(Status.UNKNOWN)
    scans = [*payment.scans, claimed.now.isoformat()]
    apart = claimed.now - datetime.fromisoformat(scans[0])
    is_shown = len(scans) >= SEARCHES_NEEDED and apart >= SEARCHES_APART
    return Settlement(Status.CANCELED if is_shown else Status.UNKNOWN, {"scans": scans})


def _found(payment: Payment, keys: AccountKeys, found: JSONObject) -> Settlement:
    """Return what the object says; an invoice that was never paid is voided, and the payment canceled."""
    kind = Kind(payment.kind)
    said = _said_by(kind, found, keys)
    if kind is Kind.INVOICE and said.status is Status.UNKNOWN and sending.is_voided(payment, keys, str(found["id"])):
        return replace(said, status=Status.CANCELED)
    return sending.clear_up(payment, keys, said)


def _find(payment: Payment, keys: AccountKeys) -> JSONObject | None:
    """Return the object at Stripe that carries the payment's id; raise ``StripeUnavailable`` if it cannot be told."""
    last_sent = payment.sent_at or payment.created_at
    around = {
        "gte": int((payment.created_at - _CLOCK_MARGIN).timestamp()),
        "lte": int((last_sent + _CLOCK_MARGIN).timestamp()),
    }
    listed = gateway.listed(keys, _LISTS[Kind(payment.kind)], {"created": around, **_narrowed(payment)})
    wanted = str(payment.id)
    return next((found for found in listed if (found.get("metadata") or {}).get("payment_id") == wanted), None)


def _narrowed(payment: Payment) -> dict[str, Any]:
    """Return what narrows the list to where the payment's object must be."""
    match Kind(payment.kind):
        case Kind.CUSTOMER:
            return {}
        case Kind.REFUND:
            return {"payment_intent": payment.request["calls"][0]["params"]["payment_intent"]}
        case Kind.SUBSCRIPTION:
            return {"customer": payment.customer_id, "status": "all"}
        case Kind.INVOICE:
            return {"customer": payment.customer_id, "expand": ["data.payments"]}
        case Kind.CHARGE | Kind.CHECKOUT:
            return {"customer": payment.customer_id}


def _pause(payment: Payment, settlement: Settlement) -> float:
    """Return seconds until the next look: longer each time, and never the same for two payments."""
    if settlement.facts.get("scans"):
        return SEARCHES_APART.total_seconds() * random.uniform(1.0, 1.1)  # noqa: S311 (not a secret)
    longest = min(_LONGEST_PAUSE, ledger.FIRST_PAUSE_SECONDS * 2.0 ** min(payment.attempts, 12))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)
