"""Whether the bots that somebody names are registered: a mistyped name would be of no use, or become another bot's."""

from __future__ import annotations

from routing.errors import InvalidRequest
from routing.identifiers import EVERY, parse_pattern
from routing.registry.models import Bot, Category, Domain


def registered(text: str) -> str:
    """Return the full form of a bot's name, or of a pattern of several such as ``stripe:finance:*``.

    Raises ``InvalidRequest`` if there is no such bot, business category or domain.
    """
    pattern = parse_pattern(text)
    if pattern == EVERY:
        return pattern
    domain, category, name = pattern.split(":")
    if category == EVERY:
        is_known = Domain.objects.filter(slug=domain).exists()
    elif name == EVERY:
        is_known = Domain.objects.filter(slug=domain).exists() and Category.objects.filter(slug=category).exists()
    else:
        is_known = Bot.objects.filter(domain__slug=domain, category__slug=category, name=name).exists()
    if not is_known:
        what = "The bot" if name != EVERY else "The business category or domain of"
        raise InvalidRequest(f"{what} '{pattern}' is not registered. Check its spelling, or register it first.")
    return pattern
