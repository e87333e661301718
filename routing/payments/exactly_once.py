"""Makes a payment at most once for a bot and an idempotency key, however often it is asked for.

1. Decide: route, keys and payment method, by reading alone. 2. Reserve: write it, if the routing table still holds.
3. Send the frozen calls. 4. Settle. A crash between any two leaves a row that says what may have happened.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from routing import postgres
from routing.errors import BillingError, IdempotencyConflict, InvalidRequest, LostPayment, RegistryBusy, StillRunning
from routing.payments import ledger, payment_methods, sending
from routing.payments.calls import payment_id, with_payment_method
from routing.payments.documents import document
from routing.payments.ledger import Held, Reservation
from routing.payments.states import Status
from routing.registry import snapshot

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from routing.identifiers import BotId
    from routing.keys import AccountKeys
    from routing.payments.calls import FrozenRequest
    from routing.payments.models import Kind, Payment
    from routing.payments.sending import Settlement
    from routing.registry.snapshot import Snapshot
    from routing.registry.table import Resolution

_MOST_DECISIONS = 5
"""How often a charge is decided anew because the registry changed meanwhile."""

_LONGEST_KEY = 255

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a bot asked for. ``words`` are JSON values; the same words under the same key are the same request."""

    bot: BotId
    idempotency_key: str
    words: dict[str, Any]

    def __post_init__(self) -> None:
        key = self.idempotency_key
        if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
            raise InvalidRequest(
                "The idempotency key must be 1 to 255 printable ASCII characters, such as 'order-4711'."
            )

    @property
    def id(self) -> uuid.UUID:
        return payment_id(self.bot, self.idempotency_key)

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(json.dumps(self.words, sort_keys=True).encode()).digest()


@dataclass(frozen=True, slots=True)
class Decision:
    """What will be sent, with which keys, and the columns that say so in the ledger."""

    kind: Kind
    resolution: Resolution
    keys: AccountKeys
    request: FrozenRequest
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """``is_replay`` says that nothing was sent: this is what became of the same request before."""

    payment: Payment
    is_replay: bool


def make(asked: Asked, decide: Callable[[Snapshot], Decision]) -> Made:
    """Make what was asked for, or return what became of it before. ``decide`` must only read."""
    try:
        decision, reserved = _reserve(asked, decide)
    except BillingError as error:
        seen = ledger.find(asked.id)
        if seen is None or seen.payment.status == Status.RECEIVED:
            raise
        logger.info("Payment %s is repeated although it could not be decided now: %s", asked.id, error)
        return Made(_seen_before(asked, seen), is_replay=True)
    if isinstance(reserved, Reservation):
        return _repeat(asked, decision.keys)
    return Made(_send(reserved, decision.keys), is_replay=False)


def _reserve(asked: Asked, decide: Callable[[Snapshot], Decision]) -> tuple[Decision, Held | Reservation]:
    """Decide and write the payment; decide again for as long as the registry changes in between."""
    for _ in range(_MOST_DECISIONS):
        decided_on, decision = snapshot.decide(lambda current: (current, decide(current)))
        reserved = ledger.reserve(_draft(asked, decision))
        if reserved is not Reservation.STALE_TABLE:
            return decision, reserved
        snapshot.reload(decided_on)
    raise RegistryBusy("The registry changed five times while this was decided. Nothing was done; try again.")


def _draft(asked: Asked, decision: Decision) -> ledger.Draft:
    return ledger.Draft(
        id=asked.id,
        bot=asked.bot,
        resolution=decision.resolution,
        columns={
            "kind": decision.kind.value,
            "idempotency_key": asked.idempotency_key,
            "fingerprint": asked.fingerprint,
            "request": decision.request,
            **decision.columns,
        },
    )


def _repeat(asked: Asked, keys: AccountKeys) -> Made:
    """Answer a key that was used before; what was received and never charged is sent now, unless it is too old."""
    seen = ledger.find(asked.id)
    if seen is None:
        raise LostPayment(
            f"Stripe has payment {asked.id}, which the ledger has lost. Nothing was sent, for it could be made twice. "
            "Finance finds it under Discrepancies; once it is in the ledger again, the same key tells its outcome."
        )
    payment = _seen_before(asked, seen)
    if not seen.is_sendable:
        return Made(payment, is_replay=True)
    held = ledger.take_up(payment)
    if held is None:
        return _repeat(asked, keys)
    return Made(_send(held, keys), is_replay=False)


def _seen_before(asked: Asked, seen: ledger.Seen) -> Payment:
    if bytes(seen.payment.fingerprint) != asked.fingerprint:
        raise IdempotencyConflict(
            f"The bot {asked.bot} used the idempotency key {asked.idempotency_key!r} before, for another request. "
            "Nothing was done. Use a new key for a new charge, and the same words for the same charge.",
        )
    if seen.is_running:
        raise StillRunning(
            "The same request is still being sent. Ask again in a few seconds with the same key.",
            payment=document(seen.payment),
        )
    return seen.payment


def _send(held: Held, keys: AccountKeys) -> Payment:
    """Send and settle; whatever goes wrong from here on, the outcome is not known, and recovery finds it out."""
    postgres.give_back()
    try:
        payment, settlement = _sent(held, keys)
        return ledger.settle(payment, settlement.status, settlement.facts)
    except Exception:
        logger.exception("Payment %s was sent, but its outcome could not be read or written.", held.payment.id)
        return _unknown(held.payment)


def _unknown(payment: Payment) -> Payment:
    try:
        return ledger.settle(payment, Status.UNKNOWN, {})
    except (BillingError, psycopg.Error):
        payment.status = Status.UNKNOWN
        return payment


def _sent(held: Held, keys: AccountKeys) -> tuple[Payment, Settlement]:
    settlement = sending.send(held.payment, keys, send_before=held.send_before)
    if settlement.status is Status.REJECTED and (again := _with_present_payment_method(held, keys)):
        held = again
        settlement = sending.send(held.payment, keys, send_before=held.send_before)
    return held.payment, sending.clear_up(held.payment, keys, settlement)


def _with_present_payment_method(held: Held, keys: AccountKeys) -> Held | None:
    """Freeze the request anew if the customer has another default payment method than the one remembered.

    Stripe has rejected the first request as invalid, so that nothing was charged and another key is safe.
    """
    payment = held.payment
    if not payment.customer_id:
        return None
    try:
        method = payment_methods.read_default(payment.domain, payment.customer_id, keys)
    except BillingError:
        return None
    again = with_payment_method(payment.request, method)
    return ledger.refreeze(held, again) if again else None
