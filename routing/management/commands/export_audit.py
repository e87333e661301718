"""Exports the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from routing.audit.export import FORMATS
from routing.audit.models import AuditEntry
from routing.management.arguments import utc_time

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Print the audit log, the oldest entry first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=FORMATS, default="jsonl")
        parser.add_argument("--since", type=utc_time, help="the first day or time (UTC), for example 2026-11-01")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        entries = AuditEntry.objects.order_by("at", "id")
        if options["since"]:
            entries = entries.filter(at__gte=options["since"])
        for line in FORMATS[options["format"]](entries):
            self.stdout.write(line, ending="")
