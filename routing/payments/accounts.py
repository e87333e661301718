"""Whose Stripe account a domain's key opens, asked once for each key."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from routing.errors import KeyUnavailable, StripeUnavailable, WrongAccount
from routing.keys import keyring
from routing.payments import gateway

if TYPE_CHECKING:
    from routing.keys import AccountKeys, Secret
    from routing.registry.table import DomainRule

logger = logging.getLogger(__name__)

_accounts: dict[str, tuple[Secret, str]] = {}
"""By domain: the key that was asked about, and its account; empty where the key may not ask."""


def keys_of(domain: DomainRule) -> tuple[AccountKeys, str]:
    """Return the domain's live keys and the account that they open.

    Raises ``KeyUnavailable``, or ``WrongAccount`` where the domain expects another account.
    """
    keys = keyring().keys(domain.slug, domain.key_path)
    account_id = _account_id(domain, keys)
    if domain.account_id and account_id and account_id != domain.account_id:
        raise WrongAccount(
            f"The key {keys.fingerprint} of the domain {domain.slug!r} belongs to the Stripe account {account_id}, but "
            f"the registry expects {domain.account_id}. Nothing is sent until the key or the domain is corrected."
        )
    return keys, account_id


def _account_id(domain: DomainRule, keys: AccountKeys) -> str:
    asked, account_id = _accounts.get(domain.slug, (None, ""))
    if asked is not None and asked == keys.secret_key:
        return account_id
    answer = gateway.get(keys, "/v1/account")
    if answer.http_status == HTTPStatus.UNAUTHORIZED:
        raise KeyUnavailable(
            f"Stripe does not accept the key {keys.fingerprint} of the domain {domain.slug!r}, from {keys.source}. "
            "Nothing was sent. Put the account's current live key there."
        )
    if answer.http_status == HTTPStatus.FORBIDDEN:
        logger.warning("The key %s may not read its own account; the account is not checked.", keys.fingerprint)
    elif not answer.is_success:
        raise StripeUnavailable("Stripe cannot be reached to check the account. Nothing was charged; try again.")
    found = str((answer.body or {}).get("id", "")) if answer.is_success else ""
    _accounts[domain.slug] = (keys.secret_key, found)
    return found
