"""Runs the server, as in production."""

from __future__ import annotations

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

from billing_router.child import keep_running

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
            "--threads", type=int, default=8, help="number of requests that each process serves at once"
        )
        parser.add_argument("--without-jobs", action="store_true", help="if 'procrastinate worker' runs elsewhere")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        self._require_free_port(options["host"], options["port"])
        if settings.IS_SANDBOX:
            call_command("migrate", verbosity=0)
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's own; its threads do not survive a fork
        jobs = nullcontext() if options["without_jobs"] else keep_running(*_WORKER)
        with jobs:
            self._serve(options)

    def _require_free_port(self, host: str, port: int) -> None:
        """Refuse a port that is in use: the server would silently share it with whatever listens there."""
        try:
            with socket.create_server((host, port)):
                return
        except OSError as error:
            raise CommandError(f"Cannot serve at {host}:{port}: {error.strerror}. Choose another --port.") from None

    def _serve(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"Serving at http://{options['host']}:{options['port']}/ until Ctrl-C.")
        Granian(
            "billing_router.worker_wsgi:application",
            address=options["host"],
            port=options["port"],
            interface=Interfaces.WSGI,
            workers=options["workers"],
            blocking_threads=options["threads"],
            backpressure=_MAX_CONNECTIONS,
            log_access=False,
            log_level=LogLevels.warning,
            log_dictconfig=settings.LOGGING,  # masks secrets in its own lines too
        ).serve()
