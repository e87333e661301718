"""Checks that nobody has changed what holds the promises in the database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from routing import roles
from routing.integrity import differences

_REMEDY = "Unless a migration is missing, find out who did it, and restore what is missing from a back-up."


class Command(BaseCommand):
    help = (
        "Compare the triggers, functions and constraints of the database with those that the router declares. "
        "Fails if one is missing, switched off or changed."
    )
    requires_migrations_checks = True

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        if found := list(differences()):
            raise CommandError("\n".join([*found, _REMEDY]))
        role = roles.current_role()
        rights = [f"{sentence} For a role that may not, see create_roles." for sentence in roles.excesses(role)]
        return "\n".join(
            ["The database has every trigger, function and constraint as the router declares them.", *rights]
        )
