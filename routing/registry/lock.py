"""Locks the registry against other writers, so that what was read is still true when it is written."""

from __future__ import annotations

import time

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from routing.errors import RegistryBusy
from routing.registry.models import Bot, Category, Domain, Override, Region, Route

_MODELS = (Domain, Region, Category, Bot, Route, Override)
_TABLES = ", ".join(model._meta.db_table for model in _MODELS)  # noqa: SLF001 (Django's documented API)
_TIMEOUT_SECONDS = 10
_PAUSE_SECONDS = 0.05


def lock_registry() -> None:
    """Lock the registry until the transaction ends; everybody can still read it. Raises ``RegistryBusy``.

    It never waits for one lock while it holds another, so it cannot be part of a deadlock.
    """
    give_up_at = time.monotonic() + _TIMEOUT_SECONDS
    while not _try_lock():
        if time.monotonic() > give_up_at:
            raise RegistryBusy("Somebody else is changing the registry. Nothing was changed; try again in a moment.")
        time.sleep(_PAUSE_SECONDS)


def _try_lock() -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {_TABLES} IN SHARE ROW EXCLUSIVE MODE NOWAIT")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return False
        raise
    return True
