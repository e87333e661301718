"""Resumes all billing, or that of a domain, a business category or a bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from routing.errors import BillingError
from routing.management.pausing import add_scope_arguments, person, rows_to_pause
from routing.management.proposing import ProposingCommand
from routing.registry.pausing import resume_everything, set_paused

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProposingCommand):
    help = "Resume billing. Of all billing: what is paused individually stays paused."

    def add_arguments(self, parser: CommandParser) -> None:
        add_scope_arguments(parser, "resume")

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        try:
            if paused := rows_to_pause(options):
                is_new = bool(set_paused(paused.rows, paused=False, by=person()))
                return f"{paused.name} is resumed." if is_new else f"{paused.name} was not paused."
        except BillingError as error:
            raise CommandError(str(error)) from None
        return "All billing is resumed." if resume_everything(by=person()) else "It was not paused."
