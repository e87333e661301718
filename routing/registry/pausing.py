"""The one switch that pauses everything: no bot bills from the moment it is thrown until it is thrown back.

The statement that writes a payment requires that no pause is in force, so that the very next charge is refused,
whichever process is asked for it. A pause waits for nobody: it is outside the registry, which others may be changing.
What may have reached Stripe is settled all the same; what never did is canceled.
"""

from __future__ import annotations

import logging

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from routing.errors import InvalidRequest
from routing.registry.fields import looks_like_key
from routing.registry.models import MAX_REASON, Pause

logger = logging.getLogger(__name__)


def pause_in_force() -> Pause | None:
    return Pause.objects.filter(resumed_at=None).first()


def pause_everything(*, by: str, reason: str = "") -> Pause | None:
    """Refuse every call that would bill; return the pause, or None where one is in force already.

    ``reason`` is told to the bots. Raises ``InvalidRequest`` where it is too long, or may hold a key.
    """
    if len(reason) > MAX_REASON or looks_like_key(reason):
        raise InvalidRequest(f"The reason must be at most {MAX_REASON} characters, and never a key.")
    try:
        with transaction.atomic():
            pause = Pause.objects.create(paused_by=by, reason=reason)
    except IntegrityError:
        if pause_in_force() is None:
            raise
        return None
    logger.warning("All billing was paused by %s: %s", by, reason or "no reason was given")
    return pause


def resume_everything(*, by: str) -> Pause | None:
    """Let bots bill again, but for those that are paused themselves; return the pause that ended, if there was one."""
    pause = pause_in_force()
    if pause is None or not Pause.objects.filter(pk=pause.pk, resumed_at=None).update(resumed_at=Now(), resumed_by=by):
        return None
    logger.warning("All billing was resumed by %s.", by)
    return pause
