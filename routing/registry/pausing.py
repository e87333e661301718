"""Pauses all billing: no bot can bill until it is resumed.

The statement that writes a payment requires that no pause is in force, so the very next charge is refused by every
process. Pausing waits for nobody: a pause is outside the registry, which others may be changing. Payments that may have
reached Stripe are still settled; those that never did are canceled.
"""

from __future__ import annotations

import logging

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from routing.errors import InvalidRequest
from routing.registry.models import MAX_REASON, Pause
from stripe_billing_router.secret_patterns import contains_secret

logger = logging.getLogger(__name__)


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
