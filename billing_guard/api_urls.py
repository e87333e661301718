"""Where a program or its settings call Stripe's API by URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing_guard.rules import API_CALL, Detection

if TYPE_CHECKING:
    from collections.abc import Iterator

_API_HOSTS = r"(?:api|files|connect|meter-events|mcp)\.stripe\.com"
_URL = re.compile(rf"https?://(?:[^\s/@\"'`]{{1,255}}@)?(?P<host>{_API_HOSTS})(?![\w.-])(?P<path>[/\w.-]*)")
_QUOTED_HOST = re.compile(rf"(?P<quote>[\"'`])(?P<host>{_API_HOSTS})(?P=quote)")

_RESOURCE_PATH = re.compile(r"/(?:v[12](?:/|$)|(?:express/)?oauth/)")
_ENDS_IN_QUOTE = re.compile(r"[\"'`]$")
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
    r"\b(?:host(?:name)?|authority)[\"']?\s*(?:[:=]|=>)\s*$|HTTPS?Connection\(\s*$", re.IGNORECASE
)
_LISTS_ALLOWED_ORIGINS = re.compile(r"csp|[-_]src|Src\b|content-security|allow|origin|permit|trusted", re.IGNORECASE)
_MAX_LINE_LENGTH = 2000
"""Characters. A longer line is minified or generated, from source code that is scanned itself."""


def find(code: str, *, is_settings: bool = False, is_shell: bool = False) -> Iterator[Detection]:
    """Yield the API URLs in ``code``, from which comments have been blanked out."""
    for match in _URL.finditer(code):
        line = _split_line(code, match)
        if line and _is_api_call(match["path"], *line, may_be_unquoted=is_settings or is_shell):
            yield Detection(API_CALL, match.start(), f"{match['host']}{match['path'][:60]}")
    for match in () if is_settings else _QUOTED_HOST.finditer(code):
        line = _split_line(code, match)
        if line and _ASSIGNED_TO_HOST.search(line[0]):
            yield Detection(API_CALL, match.start("host"), match["host"])


def _split_line(code: str, match: re.Match[str]) -> tuple[str, str] | None:
    """Return what stands before and after the match on its line; None for a minified or generated line."""
    start = code.rfind("\n", 0, match.start()) + 1
    end = code.find("\n", match.end())
    end = end if end >= 0 else len(code)
    return None if end - start > _MAX_LINE_LENGTH else (code[start : match.start()], code[match.end() : end])


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
