"""Cancels a bot's subscription, now or at the end of the period that is paid for."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from routing.errors import BillingError, NotFound, StripeUnavailable, UnknownDomain
from routing.identifiers import BotId
from routing.payments.kinds import SUBSCRIPTION, Kind
from routing.payments.ledger.models import Payment
from routing.payments.settlement import renewals
from routing.payments.states import Status
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.accounts import load_keys
from routing.registry import snapshot

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from routing.keys import AccountKeys
    from routing.payments.stripe_api.responses import JSONObject


_ENDED = ("canceled", "incomplete_expired")


def cancel_subscription(bot: BotId, name: str, *, at_period_end: bool) -> tuple[Payment, JSONObject]:
    """Cancel the subscription; return the payment that began it, and the subscription as it is at Stripe now.

    ``name`` is Stripe's id of it, or the payment's own. To cancel takes no money, and so is possible while billing is
    paused; to cancel twice is the same as once. Raises ``NotFound`` unless the subscription is the bot's own.
    """
    payment = _find_own(bot, name)
    domain = snapshot.current().table.domains.get(bot.domain)
    if domain is None:
        raise UnknownDomain(f"The domain {bot.domain!r} is no longer in the registry.")
    keys, _ = load_keys(domain)
    subscription = _cancel(keys, _subscription_id(payment), at_period_end=at_period_end)
    renewals.show_subscription(subscription, domain=payment.domain)
    return payment, subscription


def running_subscriptions(bot: str) -> QuerySet[Payment]:
    """Return the payments that began a subscription of the bot's which is not known to have ended."""
    began = Q(kind=Kind.SUBSCRIPTION) | Q(kind=Kind.CHECKOUT, result__subscription__isnull=False)
    succeeded = Payment.objects.filter(began, bot=bot, status=Status.SUCCEEDED)
    return succeeded.exclude(subscription_status__in=_ENDED).exclude(kind=Kind.CHECKOUT, result__subscription=None)


def cancel_all(bot: str) -> None:
    """Cancel every subscription of the bot now; raises the first error of those that Stripe has not canceled."""
    errors = []
    for payment in running_subscriptions(bot):
        try:
            cancel_subscription(BotId.parse(bot), str(payment.id), at_period_end=False)
        except NotFound:
            continue  # nobody has it any more
        except BillingError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _find_own(bot: BotId, name: str) -> Payment:
    try:
        named = Q(id=uuid.UUID(name))
    except ValueError:
        named = Q(object_id=name) | Q(result__subscription=name)
    own = Payment.objects.filter(bot=str(bot), kind__in=[Kind.SUBSCRIPTION, Kind.CHECKOUT], status=Status.SUCCEEDED)
    payment = own.filter(named).first()
    if payment is None or not _subscription_id(payment):
        raise NotFound(
            f"The bot {bot} has no subscription {name!r:.100}. Only its own can be canceled; name one by Stripe's "
            "sub_… or by its payment id."
        )
    return payment


def _subscription_id(payment: Payment) -> str:
    if payment.kind == Kind.SUBSCRIPTION:
        return payment.object_id
    return str((payment.result or {}).get("subscription") or "")


def _cancel(keys: AccountKeys, subscription_id: str, *, at_period_end: bool) -> JSONObject:
    path = SUBSCRIPTION.path_of(subscription_id)
    subscription = gateway.retrieve(keys, path)
    if subscription is None:
        raise NotFound(f"The subscription {subscription_id} is no longer at Stripe.")
    if subscription["status"] in _ENDED or (at_period_end and subscription.get("cancel_at_period_end")):
        return subscription
    if at_period_end:
        changes: dict[str, Any] = {"cancel_at_period_end": True}
        # a new key each time: what somebody has taken back since can be asked for again
        response = gateway.post(keys, path, changes, idempotency_key=f"cancel {subscription_id} {uuid.uuid4()}")
    else:
        response = gateway.delete(keys, path)
    if not response.is_success or response.body is None:
        raise StripeUnavailable(
            f"Stripe did not say that the subscription {subscription_id} is canceled. Cancel it again: that changes "
            "nothing if it was."
        )
    return response.body
