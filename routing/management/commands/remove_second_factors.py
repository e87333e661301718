"""Removes the second factors of somebody who has lost them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Remove the passkeys, authenticator app and recovery codes of a user, who adds others at the next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']!r}. The admin lists the users.")
        count, _ = Authenticator.objects.filter(user=user).delete()
        return f"Removed {count} second factors of {user}." if count else f"{user} has no second factor."
