"""The code cells of a Jupyter notebook, with the line of the file that each line of code is on."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from billing_guard.languages import blank
from billing_guard.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMAND = re.compile(r"^([ \t]*)[%!?]", re.MULTILINE)


def extract_code(notebook: Source) -> Source:
    """Return the code cells as one text; empty if the file is not a notebook."""
    file_lines = [_parse_json_string(line) for line in notebook.text.split("\n")]
    lines, numbers, index = [], [], 0
    for is_code, line in _cell_lines(notebook.text):
        index = next((later for later in range(index, len(file_lines)) if file_lines[later] == line), index)
        if is_code:
            lines.append(line.rstrip("\n"))
            numbers.append(index + 1)
    return Source(notebook.path, notebook.display_path, "\n".join(lines), (*numbers, index + 1))


def extract_commands(code: str) -> str:
    """Return the code with spaces for everything but magics and shell commands."""
    lines = (_COMMAND.sub(r"\1 ", line) if _COMMAND.match(line) else blank(line) for line in code.split("\n"))
    return "\n".join(lines)


def comment_out_commands(code: str) -> str:
    """Return code that Python can parse: magics and shell commands become comments."""
    return _COMMAND.sub(r"\1#", code)


def _cell_lines(text: str) -> Iterator[tuple[bool, str]]:
    """Yield each line of each cell, and whether it is code."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return
    cells = content.get("cells") if isinstance(content, dict) else None
    for cell in cells if isinstance(cells, list) else ():
        for line in _source_lines(cell):
            yield cell.get("cell_type") == "code", line


def _source_lines(cell: Any) -> list[str]:
    source = cell.get("source") if isinstance(cell, dict) else None
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source.splitlines(keepends=True) if isinstance(source, str) else []


def _parse_json_string(line: str) -> str | None:
    """Return the string that a line of the file holds: most lines of a notebook are one JSON string each."""
    line = line.strip().removesuffix(",")
    if not line.startswith('"'):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, str) else None
