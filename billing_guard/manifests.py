"""Where a code base asks for Stripe's SDK to be installed."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from billing_guard.rules import SDK_DEPENDENCY, Hit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PYPI = r"(?i:stripe(?:[-_.]agent[-_.]toolkit)?)"
_END = r"(?=[ \t]*(?:\[|[<>=!~;@#\\,\"']|$))"
_NPM = r"(?:stripe|@stripe/(?:agent-toolkit|ai-sdk|mcp))"
_NPM_VERSION = (
    r"[\^~<>=*\d]|latest\b|next\b|(?:workspace|catalog|npm|git\S*|https?):"  # a script may be called stripe too
)

_FILES: tuple[tuple[str, str], ...] = (
    (
        r"(?:requirements/[^/]+|[^/]*/(?:[^/]*[-_.])?(?:requirements|constraints)(?:[-_.][^/]*)?)\.(?:txt|in|pip)",
        rf"^[ \t]*(?P<name>{_PYPI}){_END}|(?P<source>github\.com/stripe/stripe-python)\b",
    ),
    (r"setup\.cfg", rf"^[ \t]+(?P<name>{_PYPI}){_END}"),
    (r"Pipfile", rf"^(?P<name>{_PYPI})[ \t]*="),
    (r"environment.*\.ya?ml", rf"^[ \t]*-[ \t]+(?P<name>{_PYPI}){_END}"),
    (r"setup\.py", rf"[\"'](?P<name>{_PYPI})(?:\[[\w,-]*\])?[ \t]*(?:[<>=!~;@][^\"'\n]*)?[\"'](?!\s*:)"),
    (r"go\.mod", r"^[^\n/]*(?P<name>github\.com/stripe/stripe-go(?:/v\d+)?)[ \t]+v(?!.*// indirect)"),
    (r"Gemfile|gems\.rb", r"^[ \t]*gem[ (]+['\"](?P<name>stripe)['\"]"),
    (r".+\.gemspec", r"\.add_(?:runtime_|development_)?dependency[ (]+['\"](?P<name>stripe)['\"]"),
    (r"composer\.json", r"\"(?P<name>stripe/stripe-php)\"\s*:\s*\""),
    (r"package\.json|deno\.jsonc?", rf"\"(?P<name>{_NPM})\"\s*:\s*\"(?:{_NPM_VERSION})"),
    (r"pom\.xml", r"<groupId>\s*(?P<name>com\.stripe)\s*</groupId>"),
    (r".*\.gradle(?:\.kts)?|libs\.versions\.toml", r"[\"'](?P<name>com\.stripe:stripe-java)\b"),
    (
        r".*\.(?:cs|fs|vb)proj|Directory\.Packages\.props",
        r"<Package(?:Reference|Version)\s+Include=\"(?P<name>Stripe\.net)\"",
    ),
    (r"Cargo\.toml", r"^(?P<name>(?:async-)?stripe)[ \t]*="),
)
_PATTERNS = tuple(
    (re.compile(name if "/" in name else f"[^/]*/(?:{name})", re.IGNORECASE), re.compile(line, re.MULTILINE))
    for name, line in _FILES
)

_INSTALL = re.compile(
    r"\b(?:pip3?|pipx|uv|poetry|pdm|pipenv|conda|npm|pnpm|yarn|bun|gem|composer|go)[ \t]+(?:pip[ \t]+|global[ \t]+)?"
    r"(?:install|add|i|require|get|inject)\b[^\n;&|#]{0,500}?(?<![\w@./=-])"
    rf"(?P<name>{_PYPI}|@stripe/(?:agent-toolkit|ai-sdk|mcp)|stripe/stripe-php|github\.com/stripe/stripe-go[\w/]*)"
    r"(?=[\s\"'\[<>=!~@:,;&|\\)]|$)"
)
_TOOL_SERVER = re.compile(
    r"""(?:["'`]|\b(?:npx|bunx|dlx)[ \t][^\n]{0,500}?)(?P<name>@stripe/mcp)(?:@[\w.^~-]*)?(?:["'`](?!\s*:)|\s|$)"""
)
_LISTS_REQUIREMENTS = re.compile(r"require|depend|extra|install", re.IGNORECASE)
_OPENS_LIST = re.compile(r"""(\w+)["']?\s*[=:]\s*[\[{(][^\]})]*$""")
_LONGEST_LIST = 2000
"""Characters. No more than these are searched for what opens a list of requirements."""


def find(path: Path, text: str) -> Iterator[Hit]:
    """Yield what a manifest asks for, by the file's name."""
    if path.name == "pyproject.toml":
        yield from _in_pyproject(text)
    place = "/".join(path.absolute().parts[-2:])
    for name, line in _PATTERNS:
        if not name.fullmatch(place):
            continue
        for found in line.finditer(text):
            group = found.lastgroup or "name"
            if path.name != "setup.py" or _is_listed(text, found):
                yield Hit(SDK_DEPENDENCY, found.start(group), found[group])


def find_installs(code: str) -> Iterator[Hit]:
    """Yield the commands that install it, as a shell has them."""
    for found in _INSTALL.finditer(code):
        yield Hit(SDK_DEPENDENCY, found.start("name"), found["name"])


def find_tool_servers(code: str) -> Iterator[Hit]:
    """Yield where an agent is given Stripe's own server of tools, as an argument of the command that starts it."""
    for found in _TOOL_SERVER.finditer(code):
        yield Hit(SDK_DEPENDENCY, found.start("name"), found["name"])


def _is_listed(text: str, found: re.Match[str]) -> bool:
    """Whether a bare name in a setup.py stands among requirements; one with a version can be nothing else."""
    if re.search(r"[<>=~]", found[0]):
        return True
    opened = _OPENS_LIST.search(text[max(0, found.start() - _LONGEST_LIST) : found.start()])
    return opened is not None and _LISTS_REQUIREMENTS.search(opened[1]) is not None


def _in_pyproject(text: str) -> Iterator[Hit]:
    """Yield the requirements where they are written; other mentions, such as a linter's settings, are none."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for wanted in _requirements(content):
        if re.match(rf"{_PYPI}(?![\w-])", wanted):
            written = rf"^[ \t]*(?:[\w-]+[ \t]*=[ \t]*\[.*?)?[\"']?(?P<name>{re.escape(wanted)})(?![\w-])"
            found = re.search(written, text, re.MULTILINE)
            yield Hit(SDK_DEPENDENCY, found.start("name") if found else 0, wanted)


def _requirements(content: dict[str, Any]) -> Iterator[str]:
    """Yield the requirements as the file writes them, for Poetry their names."""
    lists = [_within(content, "project").get("dependencies")]
    lists += _within(content, "project", "optional-dependencies").values()
    lists += _within(content, "dependency-groups").values()
    for requirements in lists:
        if isinstance(requirements, list):
            yield from (entry for entry in requirements if isinstance(entry, str))
    poetry = _within(content, "tool", "poetry")
    for group in (poetry, *(_within(poetry, "group", name) for name in _within(poetry, "group"))):
        yield from _within(group, "dependencies")
        yield from _within(group, "dev-dependencies")


def _within(content: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        found = content.get(name)
        content = found if isinstance(found, dict) else {}
    return content
