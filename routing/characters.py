"""Characters that cannot be seen, or are taken for others: a message names them, so that they can be found."""

from __future__ import annotations

import unicodedata


def named_character(text: str) -> str:
    """Return a sentence, after a space, about the first character beyond printable ASCII; empty if there is none."""
    strange = next((character for character in text if not (character.isascii() and character.isprintable())), None)
    if strange is None:
        return ""
    name = unicodedata.name(strange, "a control character")
    return f" It contains U+{ord(strange):04X} ({name.lower()}): delete it, or type what is meant in plain ASCII."
