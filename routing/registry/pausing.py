"""Pauses billing: of everything, a domain, a business category or a bot, until it is resumed.

The statement that writes a payment requires that no pause is in force, so the very next charge is refused by every
process. A pause makes no new version of the registry, so that it waits for nobody who is making one. Payments that may
have reached Stripe are still settled; those that never did are canceled.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models.functions import Now
from psycopg.errors import LockNotAvailable

from routing.errors import InvalidRequest, RegistryBusy
from routing.registry.models import MAX_REASON, Pause
from stripe_billing_router.secret_patterns import contains_secret

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)


_MAX_WAIT = "900ms"


def set_paused(rows: QuerySet[Any], *, paused: bool, by: str) -> int:
    """Pause or resume the billing of domains, categories or bots; return how many were not so before.

    Raises ``RegistryBusy`` if one of these very rows is being changed by somebody else.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_MAX_WAIT])
            names = [str(row) for row in rows.filter(is_paused=not paused)]
            count = rows.filter(is_paused=not paused).update(is_paused=paused)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise RegistryBusy(
            f"Somebody is changing {', '.join(names)} right now, so that its billing could not be "
            f"{'paused' if paused else 'resumed'}. Try again, or pause more: a bot's domain, or all billing."
        ) from None
    if count:
        logger.warning("Billing was %s by %s: %s", "paused" if paused else "resumed", by, ", ".join(names))
    return count


def pause_in_force() -> Pause | None:
    return Pause.objects.filter(resumed_at=None).first()


def pause_everything(*, by: str, reason: str = "") -> Pause | None:
    """Refuse every call that would bill; return the pause, or None if one is already in force.

    Bots see ``reason`` in the error. Raises ``InvalidRequest`` if it is too long, or may contain a key.
    """
    if len(reason) > MAX_REASON or contains_secret(reason):
        raise InvalidRequest(f"The reason may have at most {MAX_REASON} characters, and must not be a key.")
    try:
        with transaction.atomic():
            pause = Pause.objects.create(paused_by=by, reason=reason)
    except IntegrityError:
        if pause_in_force() is None:
            raise
        return None
    logger.warning("All billing was paused by %s: %s", by, reason or "no reason given")
    return pause


def resume_everything(*, by: str) -> Pause | None:
    """Let bots bill again, except those paused individually; return the pause that ended, None if there was none."""
    pause = pause_in_force()
    if pause is None or not Pause.objects.filter(pk=pause.pk, resumed_at=None).update(resumed_at=Now(), resumed_by=by):
        return None
    logger.warning("All billing was resumed by %s.", by)
    return pause
