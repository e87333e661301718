"""The ledger's hot statements, each one round trip in autocommit.

1. ``reserve`` writes a payment before Stripe is called, if the routing table that decided it is still the registry's.
2. Stripe is called; no connection is held.
3. ``settle`` writes its outcome, if this sender still has the lease.

``lease_token`` tells this sender from any other, so each statement can be repeated after a lost connection.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg

from routing.caps import remaining
from routing.errors import DatabaseUnavailable
from routing.payments.ledger.models import Payment
from routing.payments.ledger.refusals import refusal_of
from routing.payments.ledger.releases import RELEASE
from routing.payments.states import FINAL, Status
from routing.payments.stripe_api.gateway import MAX_CALL_SECONDS
from routing.payments.stripe_api.requests import MAX_CALLS
from routing.postgres import connection, one_row, one_row_with_retry, parameters
from routing.postgres.states import unavailable

if TYPE_CHECKING:
    from datetime import datetime

    from routing.identifiers import BotId
    from routing.registry.table import Resolution
    from stripe_billing_router import schemas

_RESERVE = """
WITH head AS MATERIALIZED (
    SELECT stamp = %(stamp)s
       AND clock_timestamp() >= coalesce(%(stable_from)s::timestamptz, '-infinity')
       AND clock_timestamp() < coalesce(%(stable_until)s::timestamptz, 'infinity')
       AND NOT EXISTS (SELECT FROM routing_pause WHERE resumed_at IS NULL)
       AND NOT EXISTS (
           SELECT FROM routing_bot AS b
           JOIN routing_domain AS d ON d.id = b.domain_id JOIN routing_category AS g ON g.id = b.category_id
           WHERE d.slug = %(domain)s AND g.slug = %(category)s AND b.name = %(bot_name)s
             AND (b.is_paused OR d.is_paused OR g.is_paused)
       ) AS is_current, greatest(
           (SELECT created_at FROM routing_domain WHERE slug = %(domain)s),
           (SELECT payments_until FROM routing_reconciliationcursor WHERE domain = %(domain)s)
       ) > clock_timestamp() - make_interval(secs => %(kept_seconds)s) AS is_compared,
       %(token_prefix)s = '' OR EXISTS (
           SELECT FROM routing_bottoken WHERE prefix = %(token_prefix)s AND revoked_at IS NULL
             AND coalesce(expires_at, 'infinity') > clock_timestamp()
       ) AS is_permitted
    FROM routing_registryhead WHERE id = 1
), reserved AS (
    INSERT INTO routing_payment (
        id, kind, status, bot, domain, category, token_prefix, idempotency_key, fingerprint, amount_minor, currency,
        quantity, description, metadata, region, product_id, price_id, customer_id, overrides, registry_version,
        request, release, lease_token, lease_until, sent_at, attempts, next_attempt_at, searches, account_id,
        payment_intent_id, charge_id, invoice_id, object_id, refund_of_id, stripe_request_id
    )
    SELECT
        %(id)s, %(kind)s, 'sent', %(bot)s, %(domain)s, %(category)s, %(token_prefix)s, %(idempotency_key)s,
        %(fingerprint)s, %(amount_minor)s, %(currency)s, %(quantity)s, %(description)s, %(metadata)s, %(region)s,
        %(product_id)s, %(price_id)s, %(customer_id)s, %(overrides)s, %(registry_version)s, %(request)s,
        %(release)s, %(lease_token)s,
        clock_timestamp() + make_interval(secs => %(lease_seconds)s), clock_timestamp(), 0,
        clock_timestamp() + make_interval(secs => %(lease_seconds)s), '[]', %(account_id)s, '', '', '', '',
        %(refund_of_id)s, ''
    FROM head
    WHERE is_current AND is_compared AND is_permitted AND NOT EXISTS (
        SELECT FROM routing_discrepancy
        WHERE kind = 'bypass' AND details #>> '{stripe,payment_id}' = %(id)s::text
    )
    ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT head.is_current, head.is_compared, head.is_permitted, reserved.* FROM head LEFT JOIN reserved ON true
"""

_RESUME = """
UPDATE routing_payment
SET status = 'sent', sent_at = clock_timestamp(), lease_token = %(lease_token)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
WHERE id = %(id)s AND status = 'received' AND created_at > clock_timestamp() - make_interval(secs => %(kept_seconds)s)
RETURNING *
"""

_REPLACE_REQUEST = """
UPDATE routing_payment SET request = %(request)s
WHERE id = %(id)s AND lease_token = %(lease_token)s AND status = 'sent'
RETURNING *
"""

_SETTLE = """
UPDATE routing_payment
SET status = %(status)s,
    settled_at = CASE WHEN %(is_final)s THEN clock_timestamp() END,
    lease_until = NULL,
    next_attempt_at =
        CASE WHEN NOT %(is_final)s THEN clock_timestamp() + make_interval(secs => %(retry_seconds)s) END,
    amount_minor = coalesce(%(amount_minor)s, amount_minor),
    payment_intent_id = coalesce(nullif(%(payment_intent_id)s, ''), payment_intent_id),
    charge_id = coalesce(nullif(%(charge_id)s, ''), charge_id),
    invoice_id = coalesce(nullif(%(invoice_id)s, ''), invoice_id),
    object_id = coalesce(nullif(%(object_id)s, ''), object_id),
    stripe_request_id = %(stripe_request_id)s,
    result = coalesce(%(result)s, result),
    searches = coalesce(%(searches)s, searches),
    error = CASE WHEN %(is_final)s THEN %(error)s::jsonb ELSE coalesce(%(error)s, error) END
WHERE id = %(id)s AND lease_token = %(lease_token)s AND lease_until IS NOT NULL
RETURNING *
"""

_CLAIM = """
WITH due AS (
    SELECT id FROM routing_payment
    WHERE settled_at IS NULL AND next_attempt_at <= clock_timestamp()
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND (status IN ('sent', 'unknown', 'processing', 'requires_action')
           OR status = 'received' AND created_at < clock_timestamp() - make_interval(secs => %(kept_seconds)s))
    ORDER BY next_attempt_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE routing_payment AS payment
SET status = CASE WHEN status IN ('sent', 'received') THEN 'unknown' ELSE status END,
    attempts = attempts + 1,
    lease_token = %(lease_token)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM due WHERE payment.id = due.id
RETURNING payment.*, clock_timestamp() AS now
"""

_CLAIM_RECEIVED = """
UPDATE routing_payment
SET status = 'unknown', attempts = attempts + 1, lease_token = %(lease_token)s,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
WHERE id = %(id)s AND status = 'received' AND (lease_until IS NULL OR lease_until < clock_timestamp())
RETURNING *, clock_timestamp() AS now
"""

_MARK_RESENT = (
    "UPDATE routing_payment SET sent_at = clock_timestamp() WHERE id = %(id)s AND lease_token = %(lease_token)s"
)

_FIND = """
SELECT *, status = 'sent' AND lease_until > clock_timestamp() AS is_running,
    status = 'received' AND created_at > clock_timestamp() - make_interval(secs => %(kept_seconds)s) AS is_sendable
FROM routing_payment WHERE id = %(id)s
"""


FIRST_RETRY_SECONDS = 5.0

RESEND_WITHIN = timedelta(hours=23)
"""Stripe keeps an idempotency key for at least 24 hours; after that the same key is a new request."""

SECONDS_TO_BEGIN_A_CALL = 15.0
"""For each call of a payment: when so many seconds are over, none of its calls is begun any more.

A lease lasts for as long, and for the last call. A payment whose sender died is taken up when its lease is over.
"""

_RECOVERY_READS = 2
"""Calls to Stripe with which recovery looks a payment up before it sends its calls again."""

logger = logging.getLogger(__name__)


class Reservation(Enum):
    """Why a payment was not written."""

    STALE_TABLE = "the routing table is not the registry's present one"
    REVOKED = "the token was revoked since the request began"
    NOT_COMPARED = "the domain was not compared with Stripe for as long as Stripe knows its keys"
    KEY_USED = "the bot has used the idempotency key before, though the ledger may have lost what for"


@dataclass(frozen=True, slots=True)
class LeasedPayment:
    """A payment that this process has leased; it may begin to send until ``send_before``, by its monotonic clock."""

    payment: Payment
    send_before: float


@dataclass(frozen=True, slots=True)
class ClaimedPayment(LeasedPayment):
    """A payment that recovery has leased, and the database's time."""

    now: datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A payment as it was read.

    ``is_running`` says that a sender is working on it; ``is_sendable`` that it was received and never charged, and that
    Stripe still knows its keys, so that calls that were sent before are only repeated.
    """

    payment: Payment
    is_running: bool
    is_sendable: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A payment before it is written. ``columns`` are those that the resolution does not give."""

    id: uuid.UUID
    bot: BotId
    resolution: Resolution
    columns: dict[str, Any]


class ReservationUnknown(DatabaseUnavailable):
    """The database went away while the payment was written; if it was, it is settled later."""

    money_may_have_moved = True


class _Lease:
    """A lease that is about to be taken, for a number of calls."""

    def __init__(self, number: int) -> None:
        seconds_to_send = SECONDS_TO_BEGIN_A_CALL * number
        self.send_before = time.monotonic() + seconds_to_send
        lease_seconds = seconds_to_send + MAX_CALL_SECONDS
        self.columns: dict[str, Any] = {"lease_token": uuid.uuid4(), "lease_seconds": lease_seconds}


def reserve(draft: Draft) -> LeasedPayment | Reservation:
    """Write the payment as sent and lease it, or say why not.

    A ledger that was restored has lost payments, whose keys Stripe may have forgotten, so that to send them again would
    make them twice. Reconciliation reports as a bypass what Stripe has under a payment's id and the ledger has not. So
    nothing is written for a domain that was not compared for as long as Stripe keeps keys.
    """
    lease = _Lease(len(draft.columns["request"]["calls"]))
    values = _values(draft, lease)
    try:
        row = one_row(_RESERVE, values)
    except psycopg.OperationalError as lost:
        reserved = _reserved_after_all(draft.id, values["lease_token"])
        if reserved is None:
            raise (unavailable(lost, nothing_was_written=True) or lost) from None
        return LeasedPayment(reserved, lease.send_before)
    except psycopg.DatabaseError as refusal:
        raise refusal_of(refusal, draft.columns["currency"]) or unavailable(refusal) or refusal from None
    payment = _written(row)
    return LeasedPayment(payment, lease.send_before) if isinstance(payment, Payment) else payment


def reserve_and_undo(draft: Draft) -> tuple[Payment, list[schemas.Cap]] | Reservation:
    """Return the payment that ``reserve`` would write and what would be left of its caps, or why it would not.

    Nothing is written: the same statement runs and is undone.
    """
    values = _values(draft, _Lease(len(draft.columns["request"]["calls"])))
    try:
        with connection() as database, database.transaction(force_rollback=True):
            payment = _written(database.execute(_RESERVE, parameters(values)).fetchone())
            return (payment, remaining.on_payment(database, payment.id)) if isinstance(payment, Payment) else payment
    except psycopg.DatabaseError as refusal:
        raise refusal_of(refusal, draft.columns["currency"]) or unavailable(refusal) or refusal from None


def _values(draft: Draft, lease: _Lease) -> dict[str, Any]:
    resolution = draft.resolution
    return {
        **draft.columns,
        "id": draft.id,
        "bot": str(draft.bot),
        "domain": draft.bot.domain,
        "category": draft.bot.category,
        "bot_name": draft.bot.name,
        "region": resolution.region,
        "overrides": dict(resolution.qualifiers),
        "registry_version": resolution.registry_version,
        "stamp": resolution.registry_stamp,
        "stable_from": resolution.stable.start,
        "stable_until": resolution.stable.end,
        "kept_seconds": RESEND_WITHIN.total_seconds(),
        "release": RELEASE,
        **lease.columns,
    }


def _written(row: dict[str, Any] | None) -> Payment | Reservation:
    if row is None or not row.pop("is_current"):
        return Reservation.STALE_TABLE
    if not row.pop("is_permitted"):
        return Reservation.REVOKED
    if not row.pop("is_compared"):
        return Reservation.NOT_COMPARED
    return Reservation.KEY_USED if row["id"] is None else Payment(**row)


def _reserved_after_all(payment: uuid.UUID, lease_token: uuid.UUID) -> Payment | None:
    """Return the payment if it was written although the database's answer was lost; Stripe is not called otherwise."""
    try:
        entry = find(payment)
    except (DatabaseUnavailable, psycopg.OperationalError):
        raise ReservationUnknown(
            "The router's database went away while the payment was written. Retry with the same key."
        ) from None
    return entry.payment if entry and entry.payment.lease_token == lease_token else None


def resume(payment: Payment) -> LeasedPayment | None:
    """Lease a payment that is sendable, to send it now; None if it no longer is, or another sender was quicker."""
    lease = _Lease(len(payment.request["calls"]))
    values = {"id": payment.id, "kept_seconds": RESEND_WITHIN.total_seconds(), **lease.columns}
    try:
        row = one_row(_RESUME, values)
    except psycopg.OperationalError:
        resumed = _reserved_after_all(payment.id, values["lease_token"])
        return LeasedPayment(resumed, lease.send_before) if resumed else None
    return LeasedPayment(Payment(**row), lease.send_before) if row else None


def replace_request(leased: LeasedPayment, request: Any) -> LeasedPayment | None:
    """Freeze another request for a payment of which Stripe has rejected the first; None if it is no longer leased."""
    payment = leased.payment
    row = one_row(_REPLACE_REQUEST, {"id": payment.id, "lease_token": payment.lease_token, "request": request})
    return LeasedPayment(Payment(**row), leased.send_before) if row else None


def settle(
    payment: Payment, status: Status, columns: dict[str, Any], *, retry_seconds: float = FIRST_RETRY_SECONDS
) -> Payment:
    """Write the outcome of the payment and return it; if another sender leases it by now, return what that one wrote.

    ``retry_seconds`` is when recovery looks up a payment that is still open.
    """
    empty = dict.fromkeys(("amount_minor", "result", "error", "searches"), None) | dict.fromkeys(
        ("payment_intent_id", "charge_id", "invoice_id", "object_id", "stripe_request_id"), ""
    )
    values = {**empty, **columns, "id": payment.id, "lease_token": payment.lease_token}
    values |= {"status": status.value, "is_final": status in FINAL, "retry_seconds": retry_seconds}
    try:
        row = one_row_with_retry(_SETTLE, values)
    except (psycopg.DataError, UnicodeError):
        logger.exception("What Stripe says beside the outcome of payment %s cannot be stored.", payment.id)
        row = one_row_with_retry(_SETTLE, values | empty)
    if row is not None:
        return Payment(**row)
    entry = find(payment.id)
    return entry.payment if entry else payment


def claim() -> ClaimedPayment | None:
    """Lease the payment that has been due for longest and that nobody works on; None if there is none."""
    return _claim(_CLAIM, {"kept_seconds": RESEND_WITHIN.total_seconds()})


def claim_received(payment: uuid.UUID) -> ClaimedPayment | None:
    """Lease a payment that was received and never executed, to cancel it; None if it no longer is."""
    return _claim(_CLAIM_RECEIVED, {"id": payment})


def _claim(statement: LiteralString, values: dict[str, Any]) -> ClaimedPayment | None:
    lease = _Lease(MAX_CALLS + _RECOVERY_READS)
    row = one_row(statement, {**values, **lease.columns})
    if row is None:
        return None
    return ClaimedPayment(now=row.pop("now"), payment=Payment(**row), send_before=lease.send_before)


def mark_resent(payment: Payment) -> None:
    """Write that the payment's calls are sent again now: searches count from the last send."""
    with connection() as database:
        database.execute(_MARK_RESENT, {"id": payment.id, "lease_token": payment.lease_token})


def find(payment: uuid.UUID) -> LedgerEntry | None:
    row = one_row_with_retry(_FIND, {"id": payment, "kept_seconds": RESEND_WITHIN.total_seconds()})
    if row is None:
        return None
    return LedgerEntry(
        is_running=row.pop("is_running") or False, is_sendable=row.pop("is_sendable"), payment=Payment(**row)
    )
