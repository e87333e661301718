"""The append-only file from which the sandbox's state survives a kill: one line of JSON for each change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Journal:
    """A line is in the kernel's hands before its change is answered, so a killed sandbox loses nothing it answered.

    A power cut may: no line is forced to the disk.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield every whole entry, and cut off a last one that was torn by a kill: nobody was told of it."""
        self._file.seek(0)
        whole = 0
        for line in self._file.read().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            yield json.loads(line)
        self._file.truncate(whole)

    def append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        if self._file.write(line) != len(line):
            raise OSError("The sandbox's state file takes no more; free some space and start again.")

    def clear(self) -> None:
        self._file.truncate(0)
