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

_DATABASE_ERRORS = (DatabaseUnavailable, psycopg.OperationalError, OperationalError)
"""Raised by the router's own pool, by the driver and by Django."""

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Settle payments whose outcome is unknown, by evidence from Stripe. Runs until it is stopped; any number may "
        "run at once. The server's own worker does the same, so this is needed only if that runs elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="look up the payments that are due and stop; fails if any need a review"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        if options["once"]:
            self._settle_once()
        else:
            self._settle_until_stopped()

    def _settle_until_stopped(self) -> None:
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            try:
                settle_open_together()
            except _DATABASE_ERRORS as error:
                logger.warning("The database is unavailable, so nothing is settled: %s", error)
            except Exception:
                logger.exception("Settling failed and is tried again.")
            stopped.wait(PAUSE_SECONDS)

    def _settle_once(self) -> None:
        count = settle_open_together()
        unsettled = Payment.objects.filter(settled_at=None)
        needing_review = unsettled.filter(status=Status.NEEDS_REVIEW).count()
        self.stdout.write(f"Looked up {count}; still open: {unsettled.count()}, of which {needing_review} need review.")
        if needing_review:
            raise CommandError(
                f"{needing_review} payments need review. The admin lists them under Payments, status "
                f"'{Status.NEEDS_REVIEW.label}'."
            )
