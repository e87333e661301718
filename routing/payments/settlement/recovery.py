"""Settles payments whose outcome is open, by evidence and never by guess.

1. Claim one payment that nobody works on: lease it with a token of one's own, commit, then work.
2. Its object at Stripe is known and shows the outcome: adopt that. Otherwise, within 23 hours of the first send: send
   the frozen calls again under the same keys, which repeats the stored response or does what was never done.
3. Later, when a key at Stripe would be a new request: search Stripe's list for the payment's id. Found: adopt it. Not
   found in two searches an hour apart, both a day after the last send: canceled, with the searches as evidence.
4. What cannot be shown so: a person decides.

While a stop is in force for a payment, nothing is sent for it: what was never executed is canceled with the reason, and
what may have reached Stripe is searched for, as in 3.

Any number of processes may do this at once, on any number of machines.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from routing.backoff import backoff_seconds
from routing.errors import BillingError, StripeUnavailable
from routing.payments.execution import cleanup, sending
from routing.payments.execution.quotes import over_quote
from routing.payments.execution.sending import Settlement
from routing.payments.execution.stops import reason_to_stop, revoked_among, stopped
from routing.payments.kinds import KINDS, PAYMENT_INTENT, Kind, payment_id_in
from routing.payments.ledger import statements
from routing.payments.ledger.columns import last_payment_error, object_columns
from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.stripe_api.outcomes import object_outcome
from routing.postgres import release_django_connection
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.keys import AccountKeys
    from routing.payments.ledger.statements import ClaimedPayment
    from routing.payments.stripe_api.responses import JSONObject
    from routing.registry.snapshot import Snapshot

SEARCH_AFTER = timedelta(hours=24)
SEARCHES_APART = timedelta(hours=1)
SEARCHES_NEEDED = 2

MAX_ATTEMPTS = 60
"""With the pauses between them some two and a half days; then a person decides."""

WORKERS = 4
"""Of one process. Stripe takes 25 requests a second at an endpoint, most of which are for new payments."""

_MAX_RETRY_SECONDS = 3600.0
_CLOCK_MARGIN = timedelta(hours=26)
"""How far the database's and Stripe's clocks and the last send may lie apart, in a search by time of creation."""

logger = logging.getLogger(__name__)


def settle_open() -> int:
    """Look up every payment that is due; return how many were looked up."""
    return cancel_stopped() + _settle_due()


def cancel_stopped() -> int:
    """Cancel the payments that were received, never executed, and may not be sent any more; return how many."""
    current = snapshot.current()
    received = list(Payment.objects.filter(settled_at=None, status=Status.RECEIVED))
    revoked = revoked_among(payment.token_prefix for payment in received)
    stopped = [(payment, reason) for payment in received if (reason := reason_to_stop(payment, current, revoked))]
    claimed = [(leased, reason) for payment, reason in stopped if (leased := statements.claim_received(payment.id))]
    for leased, reason in claimed:
        _settle(leased, partial(_cancel, reason=reason))
    return len(claimed)


def settle_open_together() -> int:
    """Do so several at a time: a payment over which Stripe takes its time delays few others."""
    count = cancel_stopped()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="recovery") as threads:
        return count + sum(threads.map(lambda _: _settle_due(), range(WORKERS)))


def _settle_due() -> int:
    count = 0
    try:
        while claimed := statements.claim():
            _settle(claimed, _find_outcome)
            count += 1
    finally:
        release_django_connection()  # a thread that ends with it would take it from the pool for good
    return count


def _settle(claimed: ClaimedPayment, find_outcome: Callable[[ClaimedPayment], Settlement]) -> None:
    payment = claimed.payment
    before = Status(payment.status)
    try:
        settlement = find_outcome(claimed)
    except BillingError as error:
        logger.warning("Payment %s could not be looked up: %s", payment.id, error)
        settlement = Settlement(Status.UNKNOWN)
    except Exception:
        logger.exception("What Stripe says of payment %s could not be read.", payment.id)
        settlement = Settlement(Status.UNKNOWN)
    if settlement.status is Status.UNKNOWN:
        is_given_up = before is Status.UNKNOWN and payment.attempts >= MAX_ATTEMPTS
        settlement = replace(settlement, status=Status.NEEDS_REVIEW if is_given_up else before)
    retry_seconds = _retry_seconds(payment, settlement)
    try:
        settled = statements.settle(payment, settlement.status, settlement.columns, retry_seconds=retry_seconds)
    except psycopg.DatabaseError:
        logger.exception("The outcome of payment %s could not be written; it is looked up again.", payment.id)
        return
    logger.info("Payment %s was %s and is %s.", payment.id, before, settled.status)


def _find_outcome(claimed: ClaimedPayment) -> Settlement:
    """Return the outcome of the payment; ``unknown`` where it has not shown this time."""
    payment, current = claimed.payment, snapshot.current()
    keys = _load_keys_of(payment, current)
    if isinstance(keys, Settlement):
        return keys
    settlement = _retrieve_outcome(payment, keys)
    if settlement.status is not Status.UNKNOWN or payment.status != Status.UNKNOWN:
        return cleanup.clean_up(payment, keys, settlement)
    reason = reason_to_stop(payment, current, revoked_among([payment.token_prefix]))
    if claimed.now - payment.created_at < statements.RESEND_WITHIN and not reason:
        return _resend(claimed, keys)
    return _search(claimed, keys, reason)


def _load_keys_of(payment: Payment, current: Snapshot) -> AccountKeys | Settlement:
    """Return the keys of the account that the payment was sent to, or that a person must decide without them."""
    domain = current.table.domains.get(payment.domain)
    if domain is None:
        return Settlement(Status.NEEDS_REVIEW, {"error": {"message": f"The domain {payment.domain!r} was deleted."}})
    keys, account_id = load_keys(domain)
    if payment.account_id and account_id and payment.account_id != account_id:
        message = f"It was sent to {payment.account_id}, but the domain's key now opens {account_id}."
        return Settlement(Status.NEEDS_REVIEW, {"error": {"message": message}})
    return keys


def _cancel(claimed: ClaimedPayment, reason: str) -> Settlement:
    """Cancel a payment that was never executed; what its first calls have made is undone first."""
    payment = claimed.payment
    if len(payment.request["calls"]) > 1:
        keys = _load_keys_of(payment, snapshot.current())
        if isinstance(keys, Settlement):
            return keys
        begun = _search_list(payment, keys)
        if begun and not cleanup.undo(payment, keys, str(begun["id"])):
            return Settlement(Status.UNKNOWN)
    return Settlement(Status.CANCELED, stopped(reason))


def _retrieve_outcome(payment: Payment, keys: AccountKeys) -> Settlement:
    """Return what the object shows of which the ledger has the id; ``unknown`` where it cannot be read.

    That an invoice is void, or a subscription expired, does not tell a decline from a cancellation; sending its payment
    again does.
    """
    kind, known_id = Kind(payment.kind), payment.stripe_id
    stripe_type = KINDS[kind].type
    try:
        found = gateway.retrieve(keys, stripe_type.path_of(known_id), stripe_type.retrieve_params) if known_id else None
    except StripeUnavailable:
        found = None  # sending the calls again shows the outcome too
    if not found:
        return Settlement(Status.UNKNOWN)
    shown = _read_outcome(payment, found, keys)
    return Settlement(Status.UNKNOWN) if _is_voided(payment, shown) and payment.status == Status.UNKNOWN else shown


def _read_outcome(payment: Payment, found: JSONObject, keys: AccountKeys) -> Settlement:
    """Return what an object shows of its payment; while a bank takes its time, its payment intent is read too.

    An open checkout session over its quote is rejected, as its sender would have done.
    """
    kind = Kind(payment.kind)
    if kind is Kind.CHECKOUT and (error := over_quote(payment, found)):
        return Settlement(Status.REJECTED, object_columns(kind, found) | {"error": error})
    status, columns = object_outcome(kind, found), object_columns(kind, found)
    intent_id = columns.get("payment_intent_id")
    awaits_bank = kind is Kind.CHECKOUT and status is Status.PROCESSING
    awaits_bank |= kind is Kind.INVOICE and found.get("status") == "open"
    if not (awaits_bank and intent_id):
        return Settlement(status, columns)
    intent = gateway.get(keys, PAYMENT_INTENT.path_of(intent_id)).body or {}
    if intent.get("status") == "processing":
        return Settlement(Status.PROCESSING, columns)
    if error := last_payment_error(intent):
        return Settlement(Status.DECLINED, {**columns, "error": error})
    return Settlement(status, columns)


def _resend(claimed: ClaimedPayment, keys: AccountKeys) -> Settlement:
    """Send the frozen calls again; where Stripe fails over them, see whether it has made the payment all the same.

    An error that it has stored never changes. One that it has not says that it may still be executing the payment, so
    that only a success is final then, or that the invoice is void.
    """
    payment = claimed.payment
    statements.mark_resent(payment)
    settlement = sending.send(payment, keys, send_before=claimed.send_before, is_resend=True)
    found = _search_list(payment, keys) if settlement.is_failure else None
    if found is None:
        return cleanup.clean_up(payment, keys, settlement)
    if settlement.is_stored:
        return _adopt(payment, keys, found)
    shown = _read_outcome(payment, found, keys)
    return shown if _is_voided(payment, shown) or shown.status is Status.SUCCEEDED else settlement


def _is_voided(payment: Payment, shown: Settlement) -> bool:
    return payment.kind in {Kind.INVOICE, Kind.SUBSCRIPTION} and shown.status is Status.CANCELED


def _search(claimed: ClaimedPayment, keys: AccountKeys, reason: str) -> Settlement:
    """Search Stripe's list for a payment that may not be sent again, being too old or stopped for ``reason``."""
    payment = claimed.payment
    if found := _search_list(payment, keys):
        return _adopt(payment, keys, found)
    if claimed.now - (payment.sent_at or payment.created_at) < SEARCH_AFTER:
        return Settlement(Status.UNKNOWN)
    searches = [*payment.searches, claimed.now.isoformat()]
    apart = claimed.now - datetime.fromisoformat(searches[0])
    is_proven_absent = len(searches) >= SEARCHES_NEEDED and apart >= SEARCHES_APART
    if not is_proven_absent:
        return Settlement(Status.UNKNOWN, {"searches": searches})
    return Settlement(Status.CANCELED, {"searches": searches} | (stopped(reason) if reason else {}))


def _adopt(payment: Payment, keys: AccountKeys, found: JSONObject) -> Settlement:
    """Return what the object shows; an invoice or a subscription that was never paid is undone, and canceled."""
    shown = _read_outcome(payment, found, keys)
    if shown.status is Status.UNKNOWN and cleanup.undo(payment, keys, str(found["id"])):
        return replace(shown, status=Status.CANCELED)
    return cleanup.clean_up(payment, keys, shown)


def _search_list(payment: Payment, keys: AccountKeys) -> JSONObject | None:
    """Return the object at Stripe that names the payment; raise ``StripeUnavailable`` if the list cannot be read."""
    last_sent = payment.sent_at or payment.created_at
    created = {
        "gte": int((payment.created_at - _CLOCK_MARGIN).timestamp()),
        "lte": int((last_sent + _CLOCK_MARGIN).timestamp()),
    }
    at_stripe = KINDS[payment.kind]
    params = {"created": created, **at_stripe.list_params, **_narrowed(payment, at_stripe.narrowed_by)}
    listed = gateway.list_all(keys, at_stripe.type.path, params)
    return next((found for found in listed if payment_id_in(found) == payment.id), None)


def _narrowed(payment: Payment, by: str) -> dict[str, Any]:
    """Return what narrows the list to where the payment's object must be: the same as in the request that made it."""
    return {by: payment.request["calls"][0]["params"][by]} if by else {}


def _retry_seconds(payment: Payment, settlement: Settlement) -> float:
    """Return when to look again: later each time, and two searches at least as far apart as they must be."""
    if settlement.columns.get("searches"):
        return SEARCHES_APART.total_seconds() + backoff_seconds(0, first_seconds=360, max_seconds=360)
    first = statements.FIRST_RETRY_SECONDS
    return backoff_seconds(payment.attempts, first_seconds=first, max_seconds=_MAX_RETRY_SECONDS)
