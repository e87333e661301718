"""The option --exhaustive, and the table of the fault scenarios: how many, their violations, and what is left open."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PROPERTY = "fault scenario"
"""The name, or its beginning, of the property in which a test records (group, violations, payments left open)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="run every fault scenario and every mutant")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exhaustive: takes minutes, and runs only with --exhaustive")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each fault, and one for all."""
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", "") == "call":
            recorded = (value for name, value in report.user_properties if name.startswith(PROPERTY))
            for group, violations, left_open in recorded:
                groups[group].append((violations, left_open))
    if not groups:
        return
    line = "{:<44}{:>10}{:>12}{:>11}".format
    terminalreporter.section("fault scenarios")
    terminalreporter.line(line("fault", "scenarios", "violations", "left open"))
    total = list(chain.from_iterable(groups.values()))
    for group, scenarios in [*sorted(groups.items()), ("all", total)]:
        violations, left_open = (sum(column) for column in zip(*scenarios, strict=True))
        terminalreporter.line(line(group, len(scenarios), violations, left_open))
