"""The option and the table of the fault scenarios: how many, what they violated, what is left for a person."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PLAYED = "fault scenario"
"""How the properties begin in which a test keeps (group, number of violations, number left for a person)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="run every fault scenario and every mutant")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exhaustive: takes minutes, and runs with --exhaustive alone")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each fault, and one for all."""
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", "") == "call":
            for group, violations, left in (kept for name, kept in report.user_properties if name.startswith(PLAYED)):
                groups[group].append((violations, left))
    if not groups:
        return
    line = "{:<44}{:>10}{:>12}{:>19}".format
    terminalreporter.section("fault scenarios")
    terminalreporter.line(line("fault", "scenarios", "violations", "left for a person"))
    total = [each for found in groups.values() for each in found]
    for group, found in [*sorted(groups.items()), ("all", total)]:
        violated, left = (sum(column) for column in zip(*found, strict=True))
        terminalreporter.line(line(group, len(found), violated, left))
