"""Revokes a bot token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now

from routing.access.models import BotToken
from routing.management.proposing import ProposingCommand
from routing.management.tokens import token_with_prefix

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProposingCommand):
    help = "Revoke a bot token by its prefix: the next call with it is refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="the twelve characters after brt_")

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        token = token_with_prefix(options["prefix"])
        if token.revoked_at:
            return f"The token {token} was already revoked, at {token.revoked_at:%Y-%m-%d %H:%M} UTC."
        BotToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=Now())
        return f"The token {token} is revoked."
