"""Refunds of a bot's own charges, never more than was charged."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.models import Q, Sum

from routing.errors import InvalidRequest, NotFound, UnknownDomain
from routing.money import to_minor
from routing.payments import calls
from routing.payments.decisions import columns, ground
from routing.payments.exactly_once import Asked, Decision, Made, make
from routing.payments.metadata import for_stripe
from routing.payments.models import Kind, Payment
from routing.payments.states import Status
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
class Refund:
    """What to give back: of ``payment``, the router's id of it or Stripe's ``pi_…``, ``ch_…`` or ``in_…``.

    ``amount`` is in the payment's own currency; without it, what is left of the payment is given back.
    """

    payment: str
    amount: str | int | Decimal | None = None
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def refund(bot: BotId, wanted: Refund, *, idempotency_key: str) -> Made:
    """Give back at most once for the bot and key; raise ``NotFound`` unless the payment is the bot's own."""
    if wanted.reason and wanted.reason not in REASONS:
        raise InvalidRequest(f"The reason {wanted.reason!r:.60} is none of Stripe's: {', '.join(REASONS)}.")
    words = {
        "payment": wanted.payment,
        "amount": None if wanted.amount is None else str(wanted.amount),
        "reason": wanted.reason,
        "metadata": dict(wanted.metadata),
    }
    asked = Asked(bot, idempotency_key, {"refund": words})
    return make(asked, lambda snapshot: _decide(asked, wanted, snapshot))


def _decide(asked: Asked, wanted: Refund, snapshot: Snapshot) -> Decision:
    charged = _own_charge(asked.bot, wanted.payment)
    resolution = _as_it_was_charged(asked.bot, charged, snapshot)
    amount_minor = to_minor(wanted.amount, charged.currency) if wanted.amount is not None else _left(charged, asked.id)
    metadata = for_stripe(asked.id, resolution, wanted.metadata)
    found = ground(resolution)
    written = columns(
        found,
        amount_minor=amount_minor,
        currency=charged.currency,
        customer_id=charged.customer_id,
        metadata=dict(wanted.metadata),
        refund_of_id=charged.id,
    )
    request = calls.refund(
        charged.payment_intent_id, amount_minor=amount_minor, reason=wanted.reason, metadata=metadata
    )
    return Decision(Kind.REFUND, resolution, found.keys, request, written)


def _own_charge(bot: BotId, name: str) -> Payment:
    is_it = Q(payment_intent_id=name) | Q(charge_id=name) | Q(invoice_id=name)
    with contextlib.suppress(ValueError):
        is_it |= Q(id=uuid.UUID(name))
    charged = Payment.objects.filter(
        is_it, bot=str(bot), kind__in=[Kind.CHARGE, Kind.INVOICE, Kind.CHECKOUT], status=Status.SUCCEEDED
    ).first()
    if not name or charged is None or not charged.payment_intent_id:
        raise NotFound(
            f"The bot {bot} has no charge {name!r:.100} that succeeded. Only its own charges can be refunded; name one "
            "by the router's id of it or by Stripe's payment intent."
        )
    return charged


def _as_it_was_charged(bot: BotId, charged: Payment, snapshot: Snapshot) -> Resolution:
    """Return the route of the charge: a refund is possible although the route has ended since."""
    domain = snapshot.table.domains.get(charged.domain)
    if domain is None:
        raise UnknownDomain(f"The domain {charged.domain!r} is not supported any more.", field="domain")
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


def _left(charged: Payment, refund_id: uuid.UUID) -> int:
    """Return what the charge's other refunds have left of it: one that was put off is asked for again."""
    others = charged.refunds.exclude(id=refund_id).exclude(status__in=_FAILED)
    given_back = others.aggregate(total=Sum("amount_minor"))["total"] or 0
    left = (charged.amount_minor or 0) - given_back
    if left <= 0:
        raise InvalidRequest("The whole charge was given back before; nothing is left of it.")
    return left
