"""Which bots a token names: some, those of a business category or of a domain, or every one.

``stripe:finance:invoicer`` is one bot, ``stripe:finance:*`` a category, ``stripe:*:*`` a domain, and ``*`` every bot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from routing.identifiers import EVERY

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class NamedBots:
    names: frozenset[str]

    def __contains__(self, bot: str) -> bool:
        domain, category, _ = bot.split(":")
        return not self.names.isdisjoint({bot, f"{domain}:{category}:*", f"{domain}:*:*", EVERY})

    def condition(self, *, bot: str, domain: str, category: str) -> Q:
        """Return which rows are of these bots, by the names of the columns that have a bot and its parts."""
        if EVERY in self.names:
            return Q()
        condition = Q(**{f"{bot}__in": [name for name in self.names if not name.endswith(EVERY)]})
        for name in self.names:
            of_domain, of_category, of_name = name.split(":")
            if of_name == EVERY:
                parts = {domain: of_domain} | ({} if of_category == EVERY else {category: of_category})
                condition |= Q(**parts)
        return condition


def are_open(names: Iterable[str]) -> bool:
    """Say whether they name bots that nobody has listed: of a category, of a domain, or every one."""
    return any(name.endswith(EVERY) for name in names)
