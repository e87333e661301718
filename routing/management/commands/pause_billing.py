"""Pauses all billing."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from routing.errors import BillingError
from routing.registry.pausing import pause_everything

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Pause all billing: the next call of any bot is refused. Resume it with resume_billing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reason", nargs="?", default="", help="why; bots see it in the error")

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        try:
            pause = pause_everything(by=f"manage.py ({getpass.getuser()})", reason=options["reason"])
        except BillingError as error:
            raise CommandError(str(error)) from None
        return "All billing is paused. Resume it with: manage.py resume_billing" if pause else "It was already paused."
