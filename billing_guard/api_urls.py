"""Where a program or its settings call Stripe's API by URL."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from billing_guard import shell_variables
from billing_guard.languages import TYPE_ANNOTATION
from billing_guard.rules import API_CALL, Detection
from billing_guard.source import MAX_LINE_LENGTH, line_starts

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = r"(?P<host>(?i:(?:api|files|connect|meter-events|mcp)\.stripe\.com)\.?(?::\d{1,5})?)(?![\w.-])"
_CREDENTIALS = r"(?:[^\s/@\"'`]{1,255}@)?"
_URL = re.compile(rf"(?i:https?)://{_CREDENTIALS}{_HOST}(?P<path>[/\w.-]*)")
_URL_WITHOUT_SCHEME = re.compile(rf"(?<=[\s\"'`]){_CREDENTIALS}{_HOST}(?P<path>/v[12]/[/\w.-]*)")
_QUOTED_HOST = re.compile(rf"(?P<quote>[\"'`]){_HOST}(?P=quote)")
_UNQUOTED_HOST = re.compile(rf"(?<=[=\s]){_HOST}(?=[\s;&|)]|$)", re.MULTILINE)

_RESOURCE_PATH = re.compile(r"/(?:v[12](?:/|$)|(?:express/)?oauth/)")
_ENDS_IN_QUOTE = re.compile(r"[\"'`]$")
_COMMAND = re.compile(r"[^\n]*+(?:(?<=\\)\n[^\n]*+)*+")
"""A line, with those on which a backslash continues it."""
_HTTP_COMMAND = re.compile(r"\b(?:curl|wget|https?|Invoke-(?:WebRequest|RestMethod))\b(?!:)", re.IGNORECASE)
_STARTS_UNQUOTED_VALUE = re.compile(r"(?:^|[=:])\s*$|^\s*-\s+$")
_CONCATENATION = re.compile(r"[$#]?\{|%s|[\"'`]\s*(?:\+|\.\s*[$\w\"']|<>|\.\.)")
_ASSIGNED_TO_BASE_URL = re.compile(
    r"""(?:base|url|uri|api|endpoint|host|server|root|addr|prefix)\w*["'\])]*[ \t]*(?::[ \t]*[\w<>\[\]. |]+)?"""
    r"""(?:=|:|:=|=>|\|\||\?\?)[ \t]*["'`]?$""",
    re.IGNORECASE,
)
_ARGUMENT_OF_REQUEST = re.compile(
    r"(?:urljoin|urlopen|fetch|request|get|post|put|patch|delete|Client|URL|URI|URI\.parse|getenv)"
    r"\((?:[^()\n]*,\s*)?[\"'`]$",
    re.IGNORECASE,
)
_ASSIGNED_TO_HOST = re.compile(
    rf"(?:\b\w*host(?:name)?|\bauthority)[\"']?(?:{TYPE_ANNOTATION})?\s*+(?::=|[:=]|=>)\s*+$|HTTPS?Connection\(\s*+$"
    r"|\bENV[ \t]+\w*host[ \t]+$",
    re.IGNORECASE,
)
_LISTS_ALLOWED_ORIGINS = re.compile(
    r"csp|[-_]src|Src\b|content-security|allow|origin|permit|trusted|egress|firewall|block|denied|deny", re.IGNORECASE
)


def find(code: str, *, is_settings: bool = False, is_shell: bool = False) -> Iterator[Detection]:
    """Yield the API URLs in ``code``, from which comments have been blanked out."""
    found = list(_find_as_written(code, is_settings=is_settings, is_shell=is_shell))
    yield from found
    if is_shell:
        starts = line_starts(code)
        reported = {bisect_right(starts, detection.offset) - 1 for detection in found}
        yield from _find_completed_by_variables(code, reported, is_settings=is_settings)


def _find_as_written(code: str, *, is_settings: bool, is_shell: bool) -> Iterator[Detection]:
    for match in _URL.finditer(code):
        line = _split_line(code, match)
        if line and _is_api_call(match["path"], *line, may_be_unquoted=is_settings or is_shell):
            yield _detection(match)
    for command in _COMMAND.finditer(code):
        urls = list(_URL_WITHOUT_SCHEME.finditer(code, *command.span()))
        http_command = _HTTP_COMMAND.search(code, *command.span()) if urls else None
        yield from (_detection(url) for url in urls if http_command and http_command.end() <= url.start())
    if not is_settings:
        yield from _find_hosts(code, is_shell=is_shell)


def _find_completed_by_variables(code: str, reported: set[int], *, is_settings: bool) -> Iterator[Detection]:
    """Yield the URLs that shell variables complete. What is assigned on a reported line is not reported at each use."""
    completed = shell_variables.expand(code, lines_without_assignments=reported)
    if completed == code:
        return
    lines, completed_lines = code.split("\n"), completed.split("\n")
    starts, completed_starts = line_starts(code), line_starts(completed)
    for detection in _find_as_written(completed, is_settings=is_settings, is_shell=True):
        number = bisect_right(completed_starts, detection.offset) - 1
        if number not in reported:
            column = _first_difference(lines[number], completed_lines[number])
            yield replace(detection, offset=starts[number] + column)


def _first_difference(line: str, completed: str) -> int:
    pairs = zip(line, completed, strict=False)
    return next((index for index, (before, after) in enumerate(pairs) if before != after), 0)


def _find_hosts(code: str, *, is_shell: bool) -> Iterator[Detection]:
    """Yield the API hosts that are assigned to a host, to which the program connects."""
    for pattern in (_QUOTED_HOST, _UNQUOTED_HOST) if is_shell else (_QUOTED_HOST,):
        for match in pattern.finditer(code):
            line = _split_line(code, match)
            if line and _ASSIGNED_TO_HOST.search(line[0]) and not _LISTS_ALLOWED_ORIGINS.search(line[0]):
                yield Detection(API_CALL, match.start("host"), match["host"])


def _detection(url: re.Match[str]) -> Detection:
    return Detection(API_CALL, url.start(), f"{url['host']}{url['path'][:60]}")


def _split_line(code: str, match: re.Match[str]) -> tuple[str, str] | None:
    """Return what stands before and after the match on its line; None for a minified or generated line."""
    start = code.rfind("\n", 0, match.start()) + 1
    end = code.find("\n", match.end())
    end = end if end >= 0 else len(code)
    return None if end - start > MAX_LINE_LENGTH else (code[start : match.start()], code[match.end() : end])


def _is_api_call(path: str, before: str, after: str, *, may_be_unquoted: bool) -> bool:
    """Whether the URL is a value, not part of a sentence, and names an API resource or is a base URL."""
    if not _is_value(before, may_be_unquoted=may_be_unquoted):
        return False
    return _RESOURCE_PATH.match(path) is not None or (path in {"", "/"} and _is_base_url(before, after))


def _is_value(before: str, *, may_be_unquoted: bool) -> bool:
    if _ENDS_IN_QUOTE.search(before) or _HTTP_COMMAND.search(before):
        return True
    return may_be_unquoted and _STARTS_UNQUOTED_VALUE.search(before) is not None


def _is_base_url(before: str, after: str) -> bool:
    """Whether paths are appended to it; an entry in a list of allowed origins is only compared."""
    if _LISTS_ALLOWED_ORIGINS.search(before):
        return False
    if _CONCATENATION.match(after):
        return True
    is_whole_value = after[:1] in {"", '"', "'", "`"}
    return is_whole_value and bool(_ASSIGNED_TO_BASE_URL.search(before) or _ARGUMENT_OF_REQUEST.search(before))
