"""Pauses all billing, or that of a domain, a business category or a bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from routing.errors import BillingError
from routing.management.pausing import add_scope_arguments, person, rows_to_pause
from routing.management.proposing import ProposingCommand
from routing.registry.pausing import pause_everything, set_paused

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProposingCommand):
    help = "Pause billing: the next call of any bot that it is on is refused. Resume it with resume_billing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reason", nargs="?", default="", help="why all billing is paused; bots see it in the error")
        add_scope_arguments(parser, "pause")

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        try:
            if paused := rows_to_pause(options):
                if options["reason"]:
                    raise CommandError("Only a pause of all billing has a reason. Leave it out.")
                is_new = bool(set_paused(paused.rows, paused=True, by=person()))
                return f"{paused.name} is paused." if is_new else f"{paused.name} was already paused."
            pause = pause_everything(by=person(), reason=options["reason"])
        except BillingError as error:
            raise CommandError(str(error)) from None
        return "All billing is paused. Resume it with: manage.py resume_billing" if pause else "It was already paused."
