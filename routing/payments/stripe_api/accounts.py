"""A domain's live keys, held to the Stripe account that the domain expects."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg
from django.conf import settings

from routing.errors import AccountNotConfirmed, BillingError, KeyUnavailable, WrongAccount
from routing.keys import keyring
from routing.payments.stripe_api.key_renewal import fetch_account_id
from routing.registry import snapshot

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.registry.rules import DomainRule

logger = logging.getLogger(__name__)

_alerted: dict[str, str] = {}
"""By domain: the mismatch that was logged last."""


def load_keys(domain: DomainRule) -> tuple[AccountKeys, str]:
    """Return the domain's live keys and the account that they open.

    Raises ``KeyUnavailable``, ``WrongAccount`` where the domain expects another account, and in production
    ``AccountNotConfirmed`` where it expects none.
    """
    keys, account_id = unconfirmed_keys(domain)
    if unconfirmed := confirmation_needed(domain.slug, domain.account_id, keys.fingerprint, account_id):
        _alert(domain.slug, unconfirmed)
        raise AccountNotConfirmed(unconfirmed)
    if mismatch := account_mismatch(domain.slug, domain.account_id, keys.fingerprint, account_id):
        _alert(domain.slug, mismatch)
        raise WrongAccount(mismatch)
    _alerted.pop(domain.slug, None)
    return keys, account_id


def unconfirmed_keys(domain: DomainRule) -> tuple[AccountKeys, str]:
    """Return the domain's live keys and the account that they open, whatever the domain expects.

    To show and to confirm the account. Raises ``KeyUnavailable``.
    """
    return _accepted_keys(keyring().keys(domain.slug, domain.key_path))


def confirmation_needed(domain: str, expected: str | None, fingerprint: str, account_id: str) -> str:
    """Say that nobody has confirmed the domain's account; nothing where somebody has, and in a sandbox."""
    if expected or not settings.REQUIRE_CONFIRMED_ACCOUNT:
        return ""
    opens = f"opens {account_id}" if account_id else "may not read its own account"
    return (
        f"Nobody has confirmed the Stripe account of the domain {domain!r}. Its key {fingerprint} {opens}. Nothing is "
        f"sent until somebody runs manage.py confirm_account {domain}, or enters the account on the domain's page."
    )


def load_all_keys() -> None:
    """Load and check every domain's key now: no request waits for it then, and problems are logged at the start."""
    try:
        domains = list(snapshot.current().table.domains.values())
        for domain in domains:
            keyring().load(domain.slug, domain.key_path)
        for domain in domains:
            _check(domain)
    except (BillingError, psycopg.Error) as error:
        logger.warning("No key was loaded at the start; each is loaded when it is first needed. %s", error)


def _check(domain: DomainRule) -> None:
    try:
        load_keys(domain)
    except BillingError as error:
        logger.warning("Domain %s cannot be charged yet: %s", domain.slug, error)


def account_mismatch(domain: str, expected: str | None, fingerprint: str, account_id: str) -> str:
    """Say that the key opens another account than the domain expects; nothing where it does not, or cannot be told."""
    if not expected or not account_id or account_id == expected:
        return ""
    return (
        f"The key {fingerprint} of the domain {domain!r} belongs to the Stripe account {account_id}, but the registry "
        f"expects {expected}. Nothing is sent until the key or the domain is corrected."
    )


def _accepted_keys(keys: AccountKeys) -> tuple[AccountKeys, str]:
    """Return the keys with their account, or the newer ones where Stripe does not accept these."""
    account_id = fetch_account_id(keys)
    if account_id is not None:
        return keys, account_id
    newer = keyring().refresh(keys)
    if newer.secret_key != keys.secret_key:
        account_id = fetch_account_id(newer)
    if account_id is None:
        raise KeyUnavailable(
            f"Stripe does not accept the key {newer.fingerprint} of the domain {newer.ref.domain!r}, from "
            f"{newer.source}. Nothing was sent. Put the account's current live key there."
        )
    return newer, account_id


def _alert(domain: str, mismatch: str) -> None:
    """Log a mismatch once, however many calls meet it."""
    if _alerted.get(domain) != mismatch:
        _alerted[domain] = mismatch
        logger.error("Domain %s is stopped. %s", domain, mismatch)
