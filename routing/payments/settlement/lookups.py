"""Looks up at Stripe what a person names as the outcome of a payment, before anybody settles the payment by it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db.models import Q

from routing.errors import InvalidRequest
from routing.payments.kinds import CHARGE, CHARGES, ID_COLUMNS, KINDS, PAYMENT_INTENT, Kind, payment_id_in, type_of_id
from routing.payments.ledger.models import Payment
from routing.payments.settlement.evidence import differences
from routing.payments.states import Status
from routing.payments.stripe_api import gateway
from routing.payments.stripe_api.accounts import load_keys
from routing.payments.stripe_api.outcomes import object_outcome
from routing.registry import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.payments.stripe_api.responses import JSONObject

_ID = re.compile(r"[A-Za-z0-9_]+")


def look_up(payment: Payment, stripe_id: str) -> JSONObject:
    """Return the object as it is at Stripe now, in the account of the payment's domain.

    Raises ``InvalidRequest`` where there is none, and ``StripeUnavailable`` or ``KeyUnavailable`` where it cannot be
    read.
    """
    if not _ID.fullmatch(stripe_id):
        raise InvalidRequest(f"{stripe_id!r} is no ID of Stripe's. Copy it from the Stripe Dashboard.")
    stripe_type = type_of_id(stripe_id) or KINDS[payment.kind].type
    rule = snapshot.current().table.domains.get(payment.domain)
    if rule is None:
        raise InvalidRequest(f"The domain {payment.domain!r} is no longer in the registry: nothing can be looked up.")
    keys, account_id = load_keys(rule)
    found = gateway.retrieve(keys, stripe_type.path_of(stripe_id), stripe_type.retrieve_params)
    if found is None:
        raise InvalidRequest(f"There is no {stripe_id} in the Stripe account {account_id or payment.account_id}.")
    return found


def require_match(payment: Payment, found: JSONObject, verdict: Status) -> None:
    """Raise ``InvalidRequest`` where the object cannot show that the payment ended so."""
    if problems := list(_mismatches(payment, found, verdict)):
        raise InvalidRequest(f"{found['id']} does not show that. {' '.join(problems)} Nothing was settled.")


def _mismatches(payment: Payment, found: JSONObject, verdict: Status) -> Iterator[str]:
    named = payment_id_in(found)
    if named is not None and named != payment.id:
        yield f"It belongs to the payment {named}."
    elif other := _other_payment(payment, str(found["id"])):
        yield f"The ledger has it as the payment {other.id}."
    if found.get("livemode") is False:
        yield "It is of test mode."
    if verdict is not Status.SUCCEEDED:
        if _moved_money(payment, found):
            yield "At Stripe it succeeded."
        return
    if not _moved_money(payment, found):
        yield f"At Stripe it is {found.get('status') or 'of no known status'}."
    for field, values in differences(payment, found).items():
        yield f"Its {field.replace('_', ' ')} is {values['stripe']}, and the payment's is {values['ledger']}."


def _other_payment(payment: Payment, stripe_id: str) -> Payment | None:
    has_it = Q()
    for column in ID_COLUMNS:
        has_it |= Q(**{column: stripe_id})
    return Payment.objects.filter(has_it, domain=payment.domain).exclude(pk=payment.pk).first()


def _moved_money(payment: Payment, found: JSONObject) -> bool:
    """Say whether the object shows that the payment succeeded: what it made, or the charge that this led to."""
    if found.get("object") in {CHARGE.name, PAYMENT_INTENT.name}:
        return payment.kind in CHARGES and found.get("status") == "succeeded"
    return object_outcome(Kind(payment.kind), found) is Status.SUCCEEDED
