"""The code of a Jupyter notebook, line by line where the file holds it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from billing_guard.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMAND = re.compile(r"^([ \t]*)[%!?]", re.MULTILINE)


def code_of(notebook: Source) -> Source:
    """Return the code cells as one text; empty for what is no notebook."""
    written = [_json_text(line) for line in notebook.text.split("\n")]
    lines, numbers, at = [], [], 0
    for is_code, line in _cell_lines(notebook.text):
        at = next((place for place in range(at, len(written)) if written[place] == line), at)
        if is_code:
            lines.append(line.rstrip("\n"))
            numbers.append(at + 1)
    return Source(notebook.path, notebook.shown, "\n".join(lines), (*numbers, at + 1))


def without_commands(code: str) -> str:
    """Return what Python itself can read: the commands of the notebook and of the shell become comments."""
    return _COMMAND.sub(r"\1#", code)


def _cell_lines(text: str) -> Iterator[tuple[bool, str]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return
    cells = content.get("cells") if isinstance(content, dict) else None
    for cell in cells if isinstance(cells, list) else ():
        for line in _lines(cell):
            yield cell.get("cell_type") == "code", line


def _lines(cell: Any) -> list[str]:
    written = cell.get("source") if isinstance(cell, dict) else None
    whole = "".join(line for line in written if isinstance(line, str)) if isinstance(written, list) else written
    return whole.splitlines(keepends=True) if isinstance(whole, str) else []


def _json_text(line: str) -> str | None:
    """Return the text that a line of the file is, for most of its lines are one string of JSON each."""
    line = line.strip().removesuffix(",")
    if not line.startswith('"'):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, str) else None
