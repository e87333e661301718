"""Refunds of a bot's own charges, never more than was charged."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from django.db.models import Q, Sum

from routing.errors import InvalidRequest, NotFound, UnknownDomain
from routing.money import to_minor
from routing.payments.execution.exactly_once import PaymentResult, execute
from routing.payments.execution.plans import Operation, PaymentPlan, PaymentRequest, RoutedCall
from routing.payments.kinds import CHARGES, Kind
from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.payments.stripe_api import requests
from routing.registry.rules import ALWAYS, Route
from routing.registry.table import Resolution

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from routing.identifiers import BotId
    from routing.registry.snapshot import Snapshot

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
"""Stripe's own, https://docs.stripe.com/api/refunds/create."""

_FAILED = (Status.DECLINED, Status.REJECTED, Status.CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund(Operation):
    """What to refund: of ``payment``, the router's id of it or Stripe's ``pi_…``, ``ch_…`` or ``in_…``.

    ``amount`` is in the payment's own currency; without it, what is left of the payment is refunded.
    """

    operation: ClassVar[str] = "refund"

    payment: str
    amount: str | int | Decimal | None = None
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reason and self.reason not in REASONS:
            raise InvalidRequest(f"The reason {self.reason!r:.60} is none of Stripe's: {', '.join(REASONS)}.")

    def plan(self, request: PaymentRequest, snapshot: Snapshot) -> PaymentPlan:
        charged = _find_own_charge(request.bot, self.payment)
        call = RoutedCall(request, snapshot, _route_of(charged, request.bot, snapshot))
        if self.amount is None:
            amount_minor = _refundable_amount(charged, request.id)
        else:
            amount_minor = to_minor(self.amount, charged.currency)
        metadata = call.stripe_metadata(self.metadata)
        intent = charged.payment_intent_id
        return call.plan(
            Kind.REFUND,
            requests.refund(intent, amount_minor=amount_minor, reason=self.reason, metadata=metadata),
            amount_minor=amount_minor,
            metadata=dict(self.metadata),
            refund_of=charged,
        )


def refund(bot: BotId, wanted: Refund, *, idempotency_key: str) -> PaymentResult:
    """Refund at most once for the bot and key; raise ``NotFound`` unless the payment is the bot's own."""
    return execute(PaymentRequest(bot, idempotency_key, wanted))


def _find_own_charge(bot: BotId, name: str) -> Payment:
    is_named = Q(payment_intent_id=name) | Q(charge_id=name) | Q(invoice_id=name)
    with contextlib.suppress(ValueError):
        is_named |= Q(id=uuid.UUID(name))
    charged = Payment.objects.filter(is_named, bot=str(bot), kind__in=CHARGES, status=Status.SUCCEEDED).first()
    if not name or charged is None or not charged.payment_intent_id:
        raise NotFound(
            f"The bot {bot} has no charge {name!r:.100} that succeeded. Only its own charges can be refunded; name one "
            "by its payment id or by Stripe's payment intent."
        )
    return charged


def _route_of(charged: Payment, bot: BotId, snapshot: Snapshot) -> Resolution:
    """Return the route of the charge: a refund is possible although the route has ended since."""
    domain = snapshot.table.domains.get(charged.domain)
    if domain is None:
        raise UnknownDomain(f"The domain {charged.domain!r} is no longer supported.", field="domain")
    if pause := snapshot.table.pause_of(bot):
        raise pause
    return Resolution(
        bot=bot,
        domain=domain,
        region=charged.region,
        route=Route(charged.product_id, charged.price_id, charged.customer_id, charged.currency),
        qualifiers=charged.overrides,
        registry_version=snapshot.table.version,
        registry_stamp=snapshot.table.stamp,
        as_of=snapshot.now(),
        stable=ALWAYS,
    )


def _refundable_amount(charged: Payment, refund_id: uuid.UUID) -> int:
    """Return what the charge's other refunds have left of it: one that was received only is requested again."""
    others = charged.refunds.exclude(id=refund_id).exclude(status__in=_FAILED)
    refunded = others.aggregate(total=Sum("amount_minor"))["total"] or 0
    left = (charged.amount_minor or 0) - refunded
    if left <= 0:
        raise InvalidRequest("The whole charge was refunded before; nothing is left of it.")
    return left
