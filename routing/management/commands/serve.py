"""Runs the server, as in production."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from procrastinate.exceptions import ConnectorException

from billing_router.child import keep_running
from billing_router.environment import CHARGE_THREADS, DEFAULT_CHARGE_THREADS, ONLY, PARTS
from routing.integrity import REFUSAL, may_serve
from routing.jobs import reconcile_payments_now

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


_WORKER = ("procrastinate", "worker", "--delete-jobs", "successful")
"""Runs the jobs. Successful ones are deleted, or there would be tens of thousands of rows a day."""

_MAX_CONNECTIONS = 1024
"""Per process. Bots keep connections open between calls: as few as there are threads would lock others out."""


class Command(BaseCommand):
    help = (
        "Serve the API and the admin, and run the background jobs, such as settling payments. "
        "In the sandbox, the database is migrated first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1, help="number of processes")
        parser.add_argument(
            "--threads",
            type=int,
            default=DEFAULT_CHARGE_THREADS,
            help="number of calls to Stripe that each process makes at once",
        )
        parser.add_argument("--only", choices=PARTS, help="serve the API alone or the admin alone; default: both")
        parser.add_argument("--without-jobs", action="store_true", help="if 'procrastinate worker' runs elsewhere")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        self._require_free_port(options["host"], options["port"])
        if settings.IS_SANDBOX:
            call_command("migrate", verbosity=0)
        elif not may_serve():
            raise CommandError(f"{REFUSAL} The log above says what was found, and so does manage.py check_database.")
        self._reconcile_payments()
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's own; its threads do not survive a fork
        jobs = nullcontext() if options["without_jobs"] else keep_running(*_WORKER)
        with jobs:
            self._serve(options)

    def _reconcile_payments(self) -> None:
        """Compare the payments first: after a long stop, charges would wait for the next scheduled comparison."""
        try:
            reconcile_payments_now()
        except ConnectorException as error:
            self.stderr.write(
                f"The payments are not compared with Stripe before the next scheduled time: {error.__cause__}"
            )

    def _require_free_port(self, host: str, port: int) -> None:
        """Refuse a port that is in use: the server would silently share it with whatever listens there."""
        try:
            with socket.create_server((host, port)):
                return
        except OSError as error:
            raise CommandError(f"Cannot serve at {host}:{port}: {error.strerror}. Choose another --port.") from None

    def _serve(self, options: dict[str, Any]) -> None:
        os.environ[CHARGE_THREADS] = str(options["threads"])
        os.environ[ONLY] = options["only"] or ""
        _allow_open_files()
        self.stdout.write(f"Serving at http://{options['host']}:{options['port']}/ until Ctrl-C.")
        Granian(
            "billing_router.worker_asgi:application",
            address=options["host"],
            port=options["port"],
            interface=Interfaces.ASGINL,
            websockets=False,
            workers=options["workers"],
            backpressure=_MAX_CONNECTIONS,
            log_access=False,
            log_level=LogLevels.warning,
            log_dictconfig=settings.LOGGING,  # masks secrets in its own lines too
        ).serve()


def _allow_open_files() -> None:
    """Let the server have every connection that it accepts: the usual limit is as low as their number alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * _MAX_CONNECTIONS
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
