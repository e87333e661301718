"""A file's text, and where in it something stands."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LINE_BREAK = re.compile(r"\r\n?")
_BINARY_WITHIN = 8192
"""Bytes. A NUL this early is what git, too, takes for the mark of a binary file."""


@dataclass(frozen=True, slots=True)
class Source:
    """``path`` is opened, ``shown`` is reported, and ``lines`` says which lines of the file the text is made of."""

    path: Path
    shown: str
    text: str
    lines: tuple[int, ...] = ()
    _starts: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths = (len(line) + 1 for line in self.text.split("\n"))
        object.__setattr__(self, "_starts", [0, *accumulate(lengths)])

    def place(self, offset: int) -> tuple[int, int]:
        """Return the line and the column, both from 1."""
        number = bisect_right(self._starts, offset)
        line = self.lines[number - 1] if self.lines else number
        return line, offset - self._starts[number - 1] + 1

    def offset(self, line: int, column: int = 0) -> int:
        """Return where a line of the text, and a column of it in bytes, stands: Python's parser counts so."""
        start, end = self._starts[line - 1 : line + 1]
        return start + len(self.text[start:end].encode()[:column].decode())

    def line_around(self, offset: int) -> str:
        number = bisect_right(self._starts, offset)
        return self.text[self._starts[number - 1] : self._starts[number] - 1]


def decoded(content: bytes) -> str:
    """Return the text with every line ended by a line feed."""
    if is_utf16(content):
        text = content.decode("utf-16", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")  # never fails, and keys and code are ASCII
    return _LINE_BREAK.sub("\n", text)


def is_binary(content: bytes) -> bool:
    return b"\0" in content[:_BINARY_WITHIN] and not is_utf16(content)


def is_utf16(content: bytes) -> bool:
    return content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
