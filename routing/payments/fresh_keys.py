"""The key that a call goes on with when Stripe refuses the one that it was made with."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from routing.errors import BillingError, StripeUnavailable
from routing.keys import keyring

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.keys import AccountKeys
    from routing.payments.answers import Answer

_MAY_NOT_TELL = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})

logger = logging.getLogger(__name__)


def is_refusal(answer: Answer) -> bool:
    """Say whether Stripe does not accept the key. It has run nothing then, and stored nothing."""
    return answer.http_status == HTTPStatus.UNAUTHORIZED or answer.error.code == "api_key_expired"


def instead_of(refused: AccountKeys, ask: Callable[[AccountKeys], Answer]) -> AccountKeys | None:
    """Return the domain's newer key, the source having been asked at once; None if there is none to go on with.

    ``ask`` reads the key's own account. The newer key must open the one that the refused key opened: customers and
    idempotency keys mean nothing in another.
    """
    account_id = keyring().account_of(refused)
    if account_id is None:
        return None  # it was never accepted: who is asking just now deals with that
    try:
        newer = keyring().refresh(refused)
        if newer.secret_key == refused.secret_key:
            logger.warning("Stripe refuses the key %s, and %s holds no newer one.", newer.fingerprint, newer.source)
            return None
        opened = opened_by(newer, ask)
    except BillingError as error:
        logger.warning("Stripe refuses the key %s, and there is no other: %s", refused.fingerprint, error)
        return None
    if opened != account_id:
        logger.warning("The key %s does not open the account of %s before it.", newer.fingerprint, refused.fingerprint)
        return None
    logger.info("Stripe refuses the key %s; the call goes on with %s.", refused.fingerprint, newer.fingerprint)
    return newer


def opened_by(keys: AccountKeys, ask: Callable[[AccountKeys], Answer]) -> str | None:
    """Return the account that the key opens, asked once for each key and again when Stripe has refused it since.

    It is empty where the key may not tell, and None where Stripe does not accept the key. Raises ``StripeUnavailable``
    where Stripe does not answer.
    """
    known = keyring().account_of(keys)
    if known is not None and not keyring().is_doubted(keys):
        return known
    answer = ask(keys)
    if is_refusal(answer):
        return None
    account_id = str((answer.body or {}).get("id", "")) if answer.is_success else ""
    if answer.http_status in _MAY_NOT_TELL:
        logger.warning("The key %s may not read its own account; the account is not checked.", keys.fingerprint)
    elif not account_id.startswith("acct_"):
        raise StripeUnavailable("Stripe cannot be reached to check the account. Nothing was charged; try again.")
    keyring().opens(keys, account_id)
    return account_id
