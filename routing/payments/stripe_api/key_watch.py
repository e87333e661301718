"""Writes down when a domain's key is refused, by Vault, by Stripe or by the router, and when it is good again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models.functions import Now

from routing.errors import AccountNotConfirmed, KeyUnavailable, StripeUnavailable, WrongAccount
from routing.keys.models import KeyRefusal
from routing.payments.stripe_api.accounts import load_keys
from routing.registry import snapshot

if TYPE_CHECKING:
    from routing.registry.rules import DomainRule


def watch_all() -> None:
    """Look at the key of every domain; the audit log has each refusal once, however long it lasts."""
    for domain in snapshot.current().table.domains.values():
        _watch(domain)


def _watch(domain: DomainRule) -> None:
    try:
        problem = _problem_of(domain)
    except StripeUnavailable:
        return  # nothing is known of the key
    lasting = KeyRefusal.objects.filter(domain=domain.slug, ended_at=None)
    lasting.exclude(problem=problem).update(ended_at=Now())
    if problem and not lasting.exists():
        KeyRefusal.objects.bulk_create([KeyRefusal(domain=domain.slug, problem=problem)], ignore_conflicts=True)


def _problem_of(domain: DomainRule) -> str:
    try:
        load_keys(domain)
    except (KeyUnavailable, WrongAccount, AccountNotConfirmed) as error:
        return str(error)
    return ""
