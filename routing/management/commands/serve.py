"""The server as production runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from granian import Granian
from granian.constants import Interfaces

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Serve the API and the admin. In the sandbox the database is brought up to date first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1, help="processes")
        parser.add_argument("--threads", type=int, default=16, help="requests that a process serves at once")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        if settings.IS_SANDBOX:
            call_command("migrate", verbosity=0)
        connection.close()
        connection.close_pool()  # its threads do not survive the fork that makes a worker
        Granian(
            "billing_router.wsgi:application",
            address=options["host"],
            port=options["port"],
            interface=Interfaces.WSGI,
            workers=options["workers"],
            blocking_threads=options["threads"],
            log_access=False,
            log_dictconfig=settings.LOGGING,  # its own lines are redacted too
        ).serve()
