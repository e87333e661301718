"""Verifies that nobody has changed the audit log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from routing.audit.models import AuditEntry, AuditSeal
from routing.audit.seals import verify

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

_LOGGED = re.compile(r"audit seal (\{.*\})")


class Command(BaseCommand):
    help = "Verify the chain of the audit log. Fails if an entry or a seal is missing, was changed, or was inserted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--log", type=Path, help="a server's log, kept where the database's administrators cannot change it"
        )

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        problems = list(verify(_logged_seals(options["log"]) if options["log"] else {}))
        if problems:
            raise CommandError("\n".join(problems))
        return f"The audit log is whole: {AuditEntry.objects.count()} entries, {AuditSeal.objects.count()} seals."


def _logged_seals(log: Path) -> dict[int, str]:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError as error:
        raise CommandError(f"The log cannot be read: {error.strerror}: {log}") from None
    seals = [json.loads(match[1]) for line in lines if (match := _LOGGED.search(line))]
    if not seals:
        raise CommandError(f"{log} has no line of a seal. Give a log of the server that runs the jobs.")
    return {seal["seal"]: seal["digest"] for seal in seals}
