"""What a shell reads once its variables are replaced by the values that the script itself gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing_guard.source import MAX_LINE_LENGTH

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NAME = r"[A-Za-z_]\w*"
_ASSIGNMENT = re.compile(
    rf"""
    (?<![\w.-])
    (?: (?:ENV | for | set(?:[ \t]+-\w+)*) [ \t]+ (?P<declared>{_NAME}) [ \t]+ (?:in[ \t]+)?
      | (?<!\$)(?P<key>{_NAME}) :[ \t]+
      | (?P<name>{_NAME}) [ \t]*(?P<operator>[:?+]?=)[ \t]* )
    ["']? (?P<value>[^\s"'`;&|,]+)
    """,
    re.VERBOSE,
)
_REFERENCE = re.compile(
    rf"""
    \$\{{\{{ [ ]* (?:env|inputs|vars)\.(?P<github>{_NAME}) [ ]* \}}\}}
    | \$[({{] (?P<enclosed>{_NAME}) (?: :?[-=](?P<default>[^)}}\n]*+) | [^\w)}}\n][^)}}\n]*+ )? [)}}]
    | \$(?:env:)? (?P<bare>{_NAME})
    """,
    re.VERBOSE,
)
_MAX_VALUE_LENGTH = 100
"""Characters. Longer than any URL of Stripe's API, and short enough that a script cannot grow without end."""


def expand(code: str, *, lines_without_assignments: Collection[int] = ()) -> str:
    """Return as many lines, in which each variable is replaced by its last value above; unknown ones stay.

    What is assigned on some lines, counted from 0, may be left out. Lines that are too long are taken as they are.
    """
    variables: dict[str, str] = {}
    expanded = []
    for number, line in enumerate(code.split("\n")):
        if len(line) > MAX_LINE_LENGTH:
            expanded.append(line)
            continue
        if number not in lines_without_assignments:
            _assign(variables, line)
        expanded.append(_replace_references(line, variables))
    return "\n".join(expanded)


def _assign(variables: dict[str, str], line: str) -> None:
    for match in _ASSIGNMENT.finditer(line):
        name = match["declared"] or match["key"] or match["name"]
        value = _replace_references(match["value"], variables)
        before = variables.get(name, "") if match["operator"] == "+=" else ""
        variables[name] = (before + value)[:_MAX_VALUE_LENGTH]


def _replace_references(text: str, variables: Mapping[str, str]) -> str:
    def value(reference: re.Match[str]) -> str:
        name = reference["github"] or reference["enclosed"] or reference["bare"]
        return variables.get(name) or reference["default"] or reference[0]

    return _REFERENCE.sub(value, text)
