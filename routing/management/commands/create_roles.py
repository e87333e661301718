"""Makes the roles of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, transaction

from routing import roles

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = (
        "Make the owner of the tables, which migrates; the runtime role, as which the server runs; and one for "
        "reports, which only reads; and give each its rights. "
        "Run it as an administrator once, and as the owner after each migrate."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--owner", default="billing_owner", help="default: %(default)s")
        parser.add_argument("--runtime", default="billing_runtime", help="default: %(default)s")
        parser.add_argument("--reader", default="billing_reader", help="default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        owner, runtime, reader = options["owner"], options["runtime"], options["reader"]
        if len({owner, runtime, reader}) < 3:  # noqa: PLR2004 (of the three)
            raise CommandError("Give the owner, the runtime role and the reader three different names.")
        try:
            with transaction.atomic():
                made = [role for role in (owner, runtime, reader) if roles.create(role)]
                if roles.current_role() != owner:
                    roles.hand_over(owner)
                roles.grant(runtime, reader)
                excesses = [*roles.excesses(runtime), *roles.excesses(reader)]
        except ProgrammingError as error:
            raise CommandError(
                f"The roles were not made: {str(error).strip()}. Nothing was changed. Run this as an administrator of "
                "the database, who may create roles."
            ) from None
        if excesses:
            raise CommandError("\n".join(["The roles were made, and may do too much:", *excesses]))
        passwords = f" Give {', '.join(made)} a password each." if made else ""
        return f"{owner} owns the tables and migrates, {runtime} serves, {reader} only reads.{passwords}"
