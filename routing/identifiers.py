"""How a bot is named: ``business_category:bot_name`` or ``domain:business_category:bot_name``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from routing.characters import named_character
from routing.errors import InvalidIdentifier

DEFAULT_DOMAIN = "stripe"
DEFAULT_REGION = "default"
DEFAULT_VAULT_FOLDER = "secret/data/stripe/"
"""Where in Vault each domain's key is, under the domain's name, unless its row says another path."""

SLUG_PATTERN = r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?"
"""A domain, region, category, bot name, qualifier key or value: 1 to 64 of a-z, 0-9, ``_`` and ``-``."""

_SLUG = re.compile(SLUG_PATTERN)


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


def slug_advice(text: str) -> str:
    """Return the sentences that say what to use in place of ``text``, which is no slug."""
    return (
        "Use 1 to 64 lower-case letters, digits, '_' and '-', starting and ending with a letter or a digit."
        + named_character(text)
    )


EVERY = "*"
"""In place of a part of a bot's name: whatever it is."""


@dataclass(frozen=True, slots=True, order=True)
class BotId:
    """A bot. ``str()`` returns the full form, ``domain:category:name``."""

    domain: str
    category: str
    name: str

    @classmethod
    def parse(cls, text: object) -> BotId:
        """Parse either form; raise ``InvalidIdentifier`` for anything else."""
        if not isinstance(text, str):
            raise InvalidIdentifier(f"A bot must be a string such as 'finance:my_bot', not {type(text).__name__}.")
        parts = text.split(":")
        if len(parts) == 2:  # noqa: PLR2004 (category:name)
            parts.insert(0, DEFAULT_DOMAIN)
        if len(parts) != 3:  # noqa: PLR2004 (domain:category:name)
            raise InvalidIdentifier(
                f"{_short_repr(text)} is not a bot. "
                "Use 'business_category:bot_name' or 'domain:business_category:bot_name'." + named_character(text)
            )
        for field, part in zip(("domain", "business category", "bot name"), parts, strict=True):
            if not is_slug(part):
                raise InvalidIdentifier(
                    f"The {field} {_short_repr(part)} in {_short_repr(text)} is not valid. {slug_advice(part)}"
                )
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.domain}:{self.category}:{self.name}"


def parse_pattern(text: str) -> str:
    """Return the full form of a bot, or of those of a category or domain; raise ``InvalidIdentifier`` for others.

    Without a domain it is of the default one, as everywhere: ``finance:*`` is a category of it.
    """
    if text == EVERY:
        return text
    parts = text.split(":")
    open_parts = 2 if parts[-2:] == [EVERY, EVERY] and len(parts) > 2 else int(parts[-1] == EVERY)  # noqa: PLR2004 (domain:*:*)
    named = parts[: len(parts) - open_parts]
    bot = BotId.parse(":".join([*named, *["any"] * open_parts]))
    return ":".join([bot.domain, bot.category, bot.name][: 3 - open_parts] + [EVERY] * open_parts)


def _short_repr(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")  # noqa: PLR2004 (enough to recognize it)
