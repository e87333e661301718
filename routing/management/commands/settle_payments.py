"""Settles payments whose outcome is open."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING, Any

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from routing.errors import DatabaseUnavailable
from routing.payments.ledger.models import Payment
from routing.payments.settlement.recovery import settle_open_together
from routing.payments.states import Status

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

PAUSE_SECONDS = 2.0

_DATABASE_IS_GONE = (DatabaseUnavailable, psycopg.OperationalError, OperationalError)
"""As the router's own pool says it, as the driver does, and as Django does."""

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Settle payments whose outcome is not known, by evidence from Stripe. Runs until it is stopped; many may run "
        "at once. The server's own worker does the same, so this is needed only where the worker runs elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="look into what is due now and stop; fail while a person is needed"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        if options["once"]:
            self._once()
        else:
            self._until_stopped()

    def _until_stopped(self) -> None:
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            try:
                settle_open_together()
            except _DATABASE_IS_GONE as error:
                logger.warning("The database cannot be used just now, so nothing is settled: %s", error)
            except Exception:
                logger.exception("Settling was interrupted, and goes on.")
            stopped.wait(PAUSE_SECONDS)

    def _once(self) -> None:
        count = settle_open_together()
        unsettled = Payment.objects.filter(settled_at=None)
        needing = unsettled.filter(status=Status.NEEDS_REVIEW).count()
        self.stdout.write(f"Looked up {count}; still open: {unsettled.count()}, of which {needing} need review.")
        if needing:
            raise CommandError(
                f"{needing} payments need review. The admin lists them under Payments, status 'Needs review'."
            )
