"""For commands on bot tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from routing.access import tokens
from routing.access.models import BotToken
from stripe_billing_router.secret_patterns import BOT_TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.core.management.base import CommandParser


def add_lifetime(parser: CommandParser) -> None:
    parser.add_argument(
        "--days",
        type=int,
        default=tokens.LIFETIME.days,
        help="how long it is valid; 0 for one that never expires (default: %(default)s)",
    )


def lifetime(options: Mapping[str, Any]) -> timedelta | None:
    if options["days"] < 0:
        raise CommandError("--days cannot be negative. Give 0 for a token that never expires.")
    return timedelta(days=options["days"]) or None


def token_with_prefix(text: str) -> BotToken:
    """Return the token that begins so; whoever has all of it may give that."""
    prefix = text.removeprefix(BOT_TOKEN)[:12]
    token = BotToken.objects.filter(prefix=prefix).first()
    if token is None:
        raise CommandError(f"There is no token with the prefix {prefix!r}. The admin lists the tokens.")
    return token
