"""Which words of a program are addresses that it calls Stripe's API by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing_guard.rules import RAW_CALL, Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOSTS = r"(?:api|files|connect|meter-events|mcp)\.stripe\.com"
_ADDRESS = re.compile(rf"https?://(?:[^\s/@\"'`]{{1,255}}@)?(?P<host>{_HOSTS})(?![\w.-])(?P<path>[/\w.-]*)")
_BARE_HOST = re.compile(rf"(?P<quote>[\"'`])(?P<host>{_HOSTS})(?P=quote)")

_CALL_PATH = re.compile(r"/(?:v[12](?:/|$)|(?:express/)?oauth/)")
_QUOTED = re.compile(r"[\"'`]$")
_COMMAND = re.compile(r"\b(?:curl|wget|https?|Invoke-(?:WebRequest|RestMethod))\b(?!:)", re.IGNORECASE)
_VALUE = re.compile(r"(?:^|[=:])\s*$|^\s*-\s+$")
_JOINED = re.compile(r"[$#]?\{|%s|[\"'`]\s*(?:\+|\.\s*[$\w\"']|<>|\.\.)")
_NAMED_AS_BASE = re.compile(
    r"""(?:base|url|uri|api|endpoint|host|server|root|addr|prefix)\w*["'\])]*[ \t]*(?::[ \t]*[\w<>\[\]. |]+)?"""
    r"""(?:=|:|:=|=>|\|\||\?\?)[ \t]*["'`]?$""",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"(?:urljoin|urlopen|fetch|request|get|post|put|patch|delete|Client|URL|URI|URI\.parse|getenv)"
    r"\((?:[^()\n]*,\s*)?[\"'`]$",
    re.IGNORECASE,
)
_HOST_NAME = re.compile(r"\b(?:host(?:name)?|authority)[\"']?\s*(?:[:=]|=>)\s*$|HTTPS?Connection\(\s*$", re.IGNORECASE)
_PERMITTED = re.compile(r"csp|[-_]src|Src\b|content-security|allow|origin|permit|trusted", re.IGNORECASE)
_LONGEST_LINE = 2000
"""Characters. A longer line was written by a tool, from sources that are read for themselves."""


def find(code: str, *, is_settings: bool = False, is_shell: bool = False) -> Iterator[Hit]:
    """Yield the addresses in ``code``, which is without its comments."""
    for found in _ADDRESS.finditer(code):
        before, after = _line_around(code, found)
        if _is_value(before, is_plain=is_settings or is_shell) and _is_called(found["path"], before, after):
            yield Hit(RAW_CALL, found.start(), f"{found['host']}{found['path'][:60]}")
    for found in () if is_settings else _BARE_HOST.finditer(code):
        if _HOST_NAME.search(_line_around(code, found)[0]):
            yield Hit(RAW_CALL, found.start("host"), found["host"])


def _is_value(before: str, *, is_plain: bool) -> bool:
    """Whether the address begins a value, or follows a command that fetches; otherwise a sentence mentions it."""
    if _QUOTED.search(before) or _COMMAND.search(before):
        return True
    return is_plain and _VALUE.search(before) is not None


def _is_called(path: str, before: str, after: str) -> bool:
    """Whether it names a resource, or is the base that others are joined to; a list of permitted hosts is neither."""
    if _CALL_PATH.match(path):
        return True
    if path not in {"", "/"} or _PERMITTED.search(before):
        return False
    if _JOINED.match(after):
        return True
    ends = after[:1] in {"", '"', "'", "`"}
    return ends and (_NAMED_AS_BASE.search(before) is not None or _CALLED.search(before) is not None)


def _line_around(code: str, found: re.Match[str]) -> tuple[str, str]:
    """Return the line before and after it; of a line that a tool wrote nothing, so that no rule fits it."""
    start = code.rfind("\n", 0, found.start()) + 1
    end = code.find("\n", found.end())
    end = end if end >= 0 else len(code)
    return ("x", "x") if end - start > _LONGEST_LINE else (code[start : found.start()], code[found.end() : end])
