"""What ``pause_billing`` and ``resume_billing`` have in common."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from routing.identifiers import BotId
from routing.registry.models import Bot, Category, Domain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.core.management.base import CommandParser
    from django.db.models import QuerySet


@dataclass(frozen=True, slots=True)
class Paused:
    """Whose billing is paused or resumed. ``name`` begins a sentence."""

    name: str
    rows: QuerySet[Any]


def add_scope_arguments(parser: CommandParser, verb: str) -> None:
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--domain", help=f"{verb} this domain alone")
    scope.add_argument("--category", help=f"{verb} this business category alone, in every domain")
    scope.add_argument("--bot", help=f"{verb} this bot alone, business_category:bot_name or domain:…:…")


def rows_to_pause(options: Mapping[str, Any]) -> Paused | None:
    """Return what the options name; None where that is all billing."""
    rows: QuerySet[Any]
    if options["domain"]:
        name, rows = f"The domain {options['domain']}", Domain.objects.filter(slug=options["domain"])
    elif options["category"]:
        name, rows = f"The category {options['category']}", Category.objects.filter(slug=options["category"])
    elif options["bot"]:
        bot = BotId.parse(options["bot"])
        name = f"The bot {bot}"
        rows = Bot.objects.filter(domain__slug=bot.domain, category__slug=bot.category, name=bot.name)
    else:
        return None
    if not rows.exists():
        raise CommandError(f"{name} is not in the registry.")
    return Paused(name, rows)


def person() -> str:
    """Return who runs the command, as the record of a pause names them."""
    return f"manage.py ({getpass.getuser()})"
