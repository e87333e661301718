"""Executes a payment at most once for a bot and an idempotency key, however often it is requested.

1. Plan: route, keys and payment method, by reading alone. 2. Reserve: write it, if the routing table is still current.
3. Send the frozen calls. 4. Settle. A crash between any two leaves a row that says what may have happened.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import psycopg

from routing import deadlines, postgres
from routing.errors import (
    BillingError,
    IdempotencyConflict,
    LostPayment,
    NotAuthenticated,
    ReconciliationOverdue,
    RegistryBusy,
    StillRunning,
)
from routing.payments.execution import cleanup, sending
from routing.payments.execution.fingerprints import is_same
from routing.payments.ledger import statements
from routing.payments.ledger.representation import representation
from routing.payments.ledger.statements import LeasedPayment, Reservation, ReservationUnknown
from routing.payments.states import Status
from routing.payments.stripe_api import payment_methods
from routing.payments.stripe_api.requests import with_payment_method
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.keys import AccountKeys
    from routing.payments.execution.plans import PaymentPlan, PaymentRequest
    from routing.payments.execution.sending import Settlement
    from routing.payments.ledger.models import Payment
    from routing.payments.ledger.statements import Draft, LedgerEntry
    from stripe_billing_router import schemas

_MAX_PLANS = 5
"""How often a payment is planned anew because the registry changed meanwhile."""

_MAX_RESUMES = 3
"""How often a payment that was received is read again because another sender resumed it first."""

logger = logging.getLogger(__name__)

Reserved = TypeVar("Reserved")


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """``is_replay`` says that nothing was sent: this is the outcome of the same request before."""

    payment: Payment
    is_replay: bool


@dataclass(frozen=True, slots=True)
class DryRun:
    """The payment that would be made, and what would be left of its caps; or, as a replay, the one that was made."""

    payment: Payment
    caps: list[schemas.Cap] | None
    is_replay: bool


def execute(request: PaymentRequest) -> PaymentResult:
    """Execute the request, or return its outcome if it was executed before."""
    try:
        plan, reserved = _plan_and_reserve(request, statements.reserve)
    except ReservationUnknown:
        raise
    except BillingError as error:
        entry = statements.find(request.id)
        if entry is None or entry.payment.status == Status.RECEIVED:
            raise
        logger.info("Payment %s is replayed although it could not be planned now: %s", request.id, error)
        return PaymentResult(_require_same_request(request, entry), is_replay=True)
    if isinstance(reserved, Reservation):
        return _replay_or_resume(request, plan.keys)
    return PaymentResult(_send_and_settle(reserved, plan.keys), is_replay=False)


def dry_run(request: PaymentRequest) -> DryRun:
    """Decide the request as ``execute`` does now, and write and send nothing; raise what ``execute`` would raise.

    What Stripe and the customer's bank would say is not known.
    """
    _, reserved = _plan_and_reserve(request, statements.reserve_and_undo)
    if not isinstance(reserved, Reservation):
        payment, caps = reserved
        return DryRun(payment, caps, is_replay=False)
    entry = statements.find(request.id)
    if entry is None:
        raise LostPayment(f"Stripe has payment {request.id}, which the ledger has lost. The same key charges nothing.")
    return DryRun(_require_same_request(request, entry), None, is_replay=True)


def _plan_and_reserve(
    request: PaymentRequest, reserve: Callable[[Draft], Reserved | Reservation]
) -> tuple[PaymentPlan, Reserved | Reservation]:
    """Plan and reserve the payment; plan again for as long as the registry changes in between."""
    for _ in range(_MAX_PLANS):
        plan = snapshot.decide(request.plan)
        deadlines.require_time_left()
        reserved = reserve(plan.draft)
        match reserved:
            case Reservation.STALE_TABLE:
                snapshot.reload(plan.snapshot)
            case Reservation.REVOKED:
                raise NotAuthenticated(
                    "The bot token was revoked or has expired. Nothing was charged. Ask for another token."
                )
            case Reservation.NOT_COMPARED:
                raise _reconciliation_overdue(request.bot.domain)
            case _:
                return plan, reserved
    raise RegistryBusy("The registry changed five times while this was decided. Nothing was done; try again.")


def _reconciliation_overdue(domain: str) -> ReconciliationOverdue:
    return ReconciliationOverdue(
        f"The domain {domain!r} was not compared with Stripe for 23 hours, so a payment that the ledger has lost could "
        "be made twice. Nothing was charged; try again with the same key. Have the platform engineers run "
        "'manage.py reconcile', and see why its job does not."
    )


def _replay_or_resume(request: PaymentRequest, keys: AccountKeys) -> PaymentResult:
    """Answer a key that was used before; what was received and never charged is sent now, unless it is too old."""
    for _ in range(_MAX_RESUMES):
        entry = statements.find(request.id)
        if entry is None:
            raise LostPayment(
                f"Stripe has payment {request.id}, which the ledger has lost. Nothing was sent, to not charge twice. "
                "Finance finds it under Discrepancies; once it is in the ledger again, the same key returns its "
                "outcome."
            )
        payment = _require_same_request(request, entry)
        if not entry.is_sendable:
            return PaymentResult(payment, is_replay=True)
        deadlines.require_time_left()
        if leased := statements.resume(payment):
            return PaymentResult(_send_and_settle(leased, keys), is_replay=False)
    raise _still_running(payment)


def _require_same_request(request: PaymentRequest, entry: LedgerEntry) -> Payment:
    """Return the payment that was made under the key, if it is for the same request and its sender has ended."""
    if not is_same(request.operation, entry.payment):
        raise IdempotencyConflict(
            f"The bot {request.bot} used the idempotency key {request.idempotency_key!r} before, for another request. "
            "Nothing was done now. Look at the first payment before you use a new key: it may have moved money.",
            payment=representation(entry.payment),
        )
    if entry.is_running:
        raise _still_running(entry.payment)
    return entry.payment


def _still_running(payment: Payment) -> StillRunning:
    return StillRunning(
        "The same request is still being sent. Try again in a few seconds with the same key.",
        payment=representation(payment),
    )


def _send_and_settle(leased: LeasedPayment, keys: AccountKeys) -> Payment:
    """Send and settle; whatever goes wrong from here on, the outcome is unknown, and recovery finds it out."""
    postgres.release_django_connection()
    try:
        payment, settlement = _send(leased, keys)
        return statements.settle(payment, settlement.status, settlement.columns)
    except Exception:
        logger.exception("Payment %s was sent, but its outcome could not be read or written.", leased.payment.id)
        return _settle_as_unknown(leased.payment)


def _send(leased: LeasedPayment, keys: AccountKeys) -> tuple[Payment, Settlement]:
    settlement = sending.send(leased.payment, keys, send_before=leased.send_before)
    if settlement.status is Status.REJECTED and (again := _replace_payment_method(leased, keys)):
        leased = again
        settlement = sending.send(leased.payment, keys, send_before=leased.send_before)
    return leased.payment, cleanup.clean_up(leased.payment, keys, settlement)


def _replace_payment_method(leased: LeasedPayment, keys: AccountKeys) -> LeasedPayment | None:
    """Freeze the request anew if the customer has another default payment method than the one that was cached.

    Stripe has rejected the first request as invalid, so that nothing was charged and another key is safe.
    """
    payment = leased.payment
    if not payment.customer_id:
        return None
    try:
        method = payment_methods.fetch_default_payment_method(payment.domain, payment.customer_id, keys)
    except BillingError:
        return None
    replaced = with_payment_method(payment.request, method)
    return statements.replace_request(leased, replaced) if replaced else None


def _settle_as_unknown(payment: Payment) -> Payment:
    try:
        return statements.settle(payment, Status.UNKNOWN, {})
    except (BillingError, psycopg.Error):
        payment.status = Status.UNKNOWN
        return payment
