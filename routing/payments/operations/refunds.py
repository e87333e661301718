"""Refunds of a bot's own charges, never more than was charged."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from django.db.models import Q, Sum

from routing.errors import InvalidRequest, NotFound, StripeUnavailable, UnknownDomain
from routing.money import to_minor
from routing.payments.execution.exactly_once import PaymentResult, execute
from routing.payments.execution.plans import Operation, PaymentPlan, PaymentRequest, RoutedCall
from routing.payments.kinds import CHARGE, CHARGES, PAYMENT_INTENT, Kind, type_of_id
from routing.payments.ledger.models import Payment
from routing.payments.states import Status
from routing.payments.stripe_api import gateway, requests
from routing.payments.stripe_api.accounts import load_keys
from routing.registry.rules import ALWAYS, Route
from routing.registry.table import Resolution

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from routing.identifiers import BotId
    from routing.keys import AccountKeys
    from routing.registry.snapshot import Snapshot

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
"""Stripe's own, https://docs.stripe.com/api/refunds/create."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund(Operation):
    """What to refund: of ``payment``, any id that its representation shows, or Stripe's ``ch_…`` of it.

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
        charged = _find_own_charge(request.bot, self.payment, snapshot)
        call = RoutedCall(request, snapshot, _route_of(charged, request.bot, snapshot))
        if self.amount is None:
            keys, _ = call.load_keys()
            amount_minor = _refundable_amount(charged, request.id, keys)
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


def refund(bot: BotId, wanted: Refund, *, idempotency_key: str, token_prefix: str = "") -> PaymentResult:
    """Refund at most once for the bot and key; raise ``NotFound`` unless the payment is the bot's own."""
    return execute(PaymentRequest(bot, idempotency_key, wanted, token_prefix))


def _find_own_charge(bot: BotId, name: str, snapshot: Snapshot) -> Payment:
    own = Payment.objects.filter(bot=str(bot), kind__in=CHARGES, status=Status.SUCCEEDED)
    charged = own.filter(_named(name)).first() or own.filter(_charged_by(bot, name, snapshot)).first()
    if charged is None or not charged.payment_intent_id:
        raise NotFound(
            f"The bot {bot} has no charge {name!r:.100} that succeeded. Only its own charges can be refunded; name one "
            "by its payment id or by Stripe's payment intent."
        )
    return charged


def _named(name: str) -> Q:
    try:
        return Q(id=uuid.UUID(name))
    except ValueError:
        stripe_type = type_of_id(name)
        return Q(**{stripe_type.id_column: name}) if stripe_type else Q(pk=None)


def _charged_by(bot: BotId, charge_id: str, snapshot: Snapshot) -> Q:
    """Return which payment Stripe made a charge for: the ledger does not have the id of every charge."""
    domain = snapshot.table.domains.get(bot.domain)
    if domain is None or type_of_id(charge_id) is not CHARGE:
        return Q(pk=None)
    keys, _ = load_keys(domain)
    charge = gateway.retrieve(keys, CHARGE.path_of(charge_id)) or {}
    intent_id = charge.get("payment_intent")
    if not intent_id:
        return Q(pk=None)
    Payment.objects.filter(payment_intent_id=intent_id, charge_id="").update(charge_id=charge_id)
    return Q(payment_intent_id=intent_id)


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


def _refundable_amount(charged: Payment, refund_id: uuid.UUID, keys: AccountKeys) -> int:
    """Return what is left of the charge at Stripe, without the router's refunds that are still open."""
    intent = gateway.retrieve(keys, PAYMENT_INTENT.path_of(charged.payment_intent_id), {"expand": ["latest_charge"]})
    charge = (intent or {}).get("latest_charge")
    if not isinstance(charge, dict):
        raise StripeUnavailable("Stripe did not say what is left of the charge. Nothing was refunded; try again.")
    still_open = charged.refunds.filter(settled_at=None).exclude(id=refund_id)
    reserved = still_open.aggregate(total=Sum("amount_minor"))["total"] or 0
    left = int(charge["amount_captured"]) - int(charge["amount_refunded"]) - reserved
    if left <= 0:
        raise InvalidRequest("The whole charge was refunded before; nothing is left of it.")
    return left
