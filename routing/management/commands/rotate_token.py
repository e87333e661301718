"""Replaces a bot token by a new one, while both are valid for some time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from routing.access import tokens
from routing.management.proposing import ProposingCommand
from routing.management.tokens import add_lifetime, lifetime, token_with_prefix

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProposingCommand):
    help = "Issue a token that may do what another one may. It is printed once; the other one expires after --overlap."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="the twelve characters after brt_ of the token to replace")
        add_lifetime(parser)
        parser.add_argument(
            "--overlap",
            type=int,
            default=tokens.OVERLAP.days,
            help="days until the other one expires (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        token = token_with_prefix(options["prefix"])
        if token.revoked_at:
            raise CommandError(f"The token {token} is revoked. Issue another with issue_token.")
        return tokens.rotate(token, lifetime=lifetime(options), overlap=timedelta(days=options["overlap"]))
