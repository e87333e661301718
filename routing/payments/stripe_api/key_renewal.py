"""Which Stripe account a key opens, and the newer key that a call goes on with when Stripe refuses its own."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from routing.errors import BillingError, StripeUnavailable
from routing.keys import keyring
from routing.payments.stripe_api import sdk

if TYPE_CHECKING:
    from routing.keys import AccountKeys
    from routing.payments.stripe_api.responses import StripeResponse

_MAY_NOT_READ_ACCOUNT = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})

logger = logging.getLogger(__name__)


def is_key_refused(response: StripeResponse) -> bool:
    """Say whether Stripe refused the key. It has executed nothing then, and stored nothing."""
    return response.http_status == HTTPStatus.UNAUTHORIZED or response.error.code == "api_key_expired"


def fetch_newer_keys(refused: AccountKeys) -> AccountKeys | None:
    """Ask the source at once and return the domain's newer keys; None if there are none to go on with.

    The newer key must open the account that the refused key opened: customers and idempotency keys mean nothing in
    another.
    """
    account_id = keyring().account_id(refused)
    if account_id is None:
        return None  # it was never accepted: whoever is asking for its account just now deals with that
    try:
        newer = keyring().refresh(refused)
        if newer.secret_key == refused.secret_key:
            logger.warning("Stripe refuses the key %s, and %s holds no newer one.", newer.fingerprint, newer.source)
            return None
        newer_account_id = fetch_account_id(newer)
    except BillingError as error:
        logger.warning("Stripe refuses the key %s, and there is no other: %s", refused.fingerprint, error)
        return None
    if newer_account_id != account_id:
        logger.warning("The key %s does not open the account of %s before it.", newer.fingerprint, refused.fingerprint)
        return None
    logger.info("Stripe refuses the key %s; the call goes on with %s.", refused.fingerprint, newer.fingerprint)
    return newer


def fetch_account_id(keys: AccountKeys) -> str | None:
    """Return the account that the key opens, asked once for each key, and again after Stripe has refused it.

    It is empty where the key may not read its account, and None where Stripe refuses the key. Raises
    ``StripeUnavailable`` where Stripe does not answer.
    """
    known = keyring().account_id(keys)
    if known is not None and not keyring().is_rejected(keys):
        return known
    response = sdk.send(keys, "get", "/v1/account", {}, {})  # with this very key, and no newer one in its place
    if is_key_refused(response):
        return None
    account_id = str((response.body or {}).get("id", "")) if response.is_success else ""
    if response.http_status in _MAY_NOT_READ_ACCOUNT:
        logger.warning("The key %s may not read its own account; the account is not checked.", keys.fingerprint)
    elif not account_id.startswith("acct_"):
        raise StripeUnavailable("Stripe cannot be reached to check the account. Nothing was charged; try again.")
    keyring().record_account(keys, account_id)
    return account_id
