"""What is wrong with a file, and where."""

from __future__ import annotations

from typing import NamedTuple


class Mark(NamedTuple):
    """A position in the file; both count from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """A whole sentence, and where in the file it applies; None for the file as a whole."""

    message: str
    mark: Mark | None = None

    def __str__(self) -> str:
        return f"line {self.mark.line}, column {self.mark.column}: {self.message}" if self.mark else self.message


class ImportRefusedError(Exception):
    """Nothing was changed; ``problems`` lists everything that is wrong, in the file's order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.mark or Mark(0, 0))
        super().__init__("\n".join(map(str, self.problems)))
