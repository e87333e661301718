"""Stripe's rules for metadata."""

from __future__ import annotations

from typing import Any

from sandbox.errors import invalid

_MOST_KEYS = 50
_LONGEST_KEY = 40  # characters
_LONGEST_VALUE = 500  # characters


def merged(before: dict[str, str], params: dict[str, Any]) -> dict[str, str]:
    """Return the metadata after a call: names given anew, and without the ones given as the empty string."""
    given = params.get("metadata", {})
    after = {name: value for name, value in {**before, **given}.items() if value != ""} if given != "" else {}
    if len(after) > _MOST_KEYS:
        raise invalid(f"You can have at most {_MOST_KEYS} metadata keys.", param="metadata")
    for name, value in after.items():
        if len(name) > _LONGEST_KEY:
            raise invalid(f"Metadata keys can have up to {_LONGEST_KEY} characters.", param=f"metadata[{name}]")
        if len(value) > _LONGEST_VALUE:
            raise invalid(f"Metadata values can have up to {_LONGEST_VALUE} characters.", param=f"metadata[{name}]")
    return after
