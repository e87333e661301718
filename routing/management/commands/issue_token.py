"""Issues a bot token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from routing.access import tokens
from routing.access.models import EVERY_QUALIFIER, Scope
from routing.errors import BillingError
from routing.management.proposing import ProposingCommand
from routing.management.tokens import add_lifetime, lifetime
from routing.registry.registered_bots import registered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.core.management.base import CommandParser

DEFAULT_SCOPES = (Scope.CHARGE, Scope.READ)


class Command(ProposingCommand):
    help = "Issue a bot token. It is printed once and cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the token is for")
        parser.add_argument(
            "--bot",
            action="append",
            required=True,
            help="a bot that may use it; repeat for more; 'finance:*' for a business category, 'stripe:*:*' for a "
            "domain, '*' for every bot",
        )
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            help=f"what it allows: {', '.join(Scope.values)}; repeat for more, 'all' for every one "
            f"(default: {', '.join(DEFAULT_SCOPES)})",
        )
        parser.add_argument(
            "--qualifier",
            action="append",
            default=[],
            help="a qualifier that its calls may name, such as business=enterprise; repeat for more, 'none' for none "
            "(default: every one)",
        )
        add_lifetime(parser)
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            help="from where it may be used, such as 10.0.0.0/24; repeat for more (default: from anywhere)",
        )

    def handle(self, *args: Any, **options: Any) -> str:  # noqa: ARG002 (Django's signature)
        try:
            return tokens.issue(
                options["name"],
                map(registered, options["bot"]),
                _scopes(options["scope"], options["bot"]),
                lifetime=lifetime(options),
                restrictions=tokens.Restrictions(options["network"], _qualifiers(options["qualifier"])),
            )
        except BillingError as error:
            raise CommandError(str(error)) from None


def _scopes(options: list[str], bots: list[str]) -> Iterable[str]:
    named = [scope.strip() for option in options for scope in option.split(",")]
    if "all" in named:
        return tokens.allowed_scopes(bots, Scope.values)
    return named or list(DEFAULT_SCOPES)


def _qualifiers(options: list[str]) -> Iterable[str]:
    return [each for each in options if each != "none"] if options else [EVERY_QUALIFIER]
