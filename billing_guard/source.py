"""A file's text, and the line and column of every offset in it."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_LINE_LENGTH = 2000
"""Characters. A longer line is minified or generated, from source code that is scanned itself."""

_LONG_LINE = re.compile(rf"^[^\n]{{{MAX_LINE_LENGTH + 1},}}", re.MULTILINE)
_LINE_BREAK = re.compile(r"\r\n?")
_BINARY_PREFIX = 8192
"""Bytes. Git, too, takes a file for binary if there is a NUL among its first ones."""


@dataclass(frozen=True, slots=True)
class Source:
    """``line_numbers`` gives each line of the text its number in the file, where the text is only a part of it."""

    path: Path
    display_path: str
    text: str
    line_numbers: tuple[int, ...] = ()
    _line_starts: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_line_starts", line_starts(self.text))

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line in the file and the column, both from 1."""
        number = bisect_right(self._line_starts, offset)
        line = self.line_numbers[number - 1] if self.line_numbers else number
        return line, offset - self._line_starts[number - 1] + 1

    def offset(self, line: int, byte_column: int = 0) -> int:
        """Return the offset of a line of the text, from 1, and a column in bytes, which is how ``ast`` counts."""
        start, end = self._line_starts[line - 1 : line + 1]
        return start + len(self.text[start:end].encode()[:byte_column].decode())


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line starts, and that after the last one."""
    return [0, *accumulate(len(line) + 1 for line in text.split("\n"))]


def blank_long_lines(text: str) -> str:
    """Return the text with a comment of the same length for each line that is too long to be read for calls."""
    return _LONG_LINE.sub(lambda line: "#" * len(line[0]), text)


def decode(content: bytes) -> str:
    """Return the text, with a line feed at the end of every line."""
    if is_utf16(content):
        text = content.decode("utf-16", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")  # never fails, and keys and code are ASCII
    return _LINE_BREAK.sub("\n", text)


def is_binary(content: bytes) -> bool:
    return b"\0" in content[:_BINARY_PREFIX] and not is_utf16(content)


def is_utf16(content: bytes) -> bool:
    return content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
