"""What the demo prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def say(line: str) -> None:
    print(f"== {line}", flush=True)


def show(title: str, values: Mapping[str, Any]) -> None:
    say(title)
    for name, value in values.items():
        print(f"   {name:<12} {value}", flush=True)
