"""Where a code base installs Stripe's SDK: its manifests, its install commands and its MCP settings."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from billing_guard.rules import SDK_DEPENDENCY, Detection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PYPI_NAME = r"(?i:stripe(?:[-_.]+agent[-_.]+toolkit)?|(?:async|dj)[-_.]+stripe)"
_REQUIREMENT_END = r"(?=[ \t]*(?:\[|[<>=!~;@#\\,\"']|$))"
_NPM_NAME = r"(?:stripe|@stripe/(?:agent-toolkit|ai-sdk|mcp))"
_NPM_VERSION = r"[\^~<>=*\d]|latest\b|next\b|(?:workspace|catalog|npm|git\S*|https?):"
"""Tells a dependency from a script, which may be called stripe too."""

_MANIFESTS: tuple[tuple[str, str], ...] = (
    (
        r"(?:requirements/[^/]+|[^/]*/(?:[^/]*[-_.])?(?:requirements|constraints)(?:[-_.][^/]*)?)\.(?:txt|in|pip)",
        rf"^[ \t]*(?P<name>{_PYPI_NAME}){_REQUIREMENT_END}|(?P<source>github\.com/stripe/stripe-python)\b",
    ),
    (r"setup\.cfg", rf"^[ \t]+(?P<name>{_PYPI_NAME}){_REQUIREMENT_END}"),
    (r"Pipfile", rf"^(?P<name>{_PYPI_NAME})[ \t]*="),
    (r"environment.*\.ya?ml", rf"^[ \t]*-[ \t]+(?P<name>{_PYPI_NAME}){_REQUIREMENT_END}"),
    (r"setup\.py", rf"[\"'](?P<name>{_PYPI_NAME})(?:\[[\w,-]*\])?[ \t]*(?:[<>=!~;@][^\"'\n]*)?[\"'](?!\s*:)"),
    (r"go\.mod", r"^[^\n/]*(?P<name>github\.com/stripe/stripe-go(?:/v\d+)?)[ \t]+v(?!.*// indirect)"),
    (r"Gemfile|gems\.rb", r"^[ \t]*gem[ (]+['\"](?P<name>stripe)['\"]"),
    (r".+\.gemspec", r"\.add_(?:runtime_|development_)?dependency[ (]+['\"](?P<name>stripe)['\"]"),
    (r"composer\.json", r"\"(?P<name>stripe/stripe-php)\"\s*:\s*\""),
    (r"package\.json|deno\.jsonc?", rf"\"(?P<name>{_NPM_NAME})\"\s*:\s*\"(?:{_NPM_VERSION})"),
    (r"pom\.xml", r"<groupId>\s*(?P<name>com\.stripe)\s*</groupId>"),
    (r".*\.gradle(?:\.kts)?|libs\.versions\.toml", r"[\"'](?P<name>com\.stripe:stripe-java)\b"),
    (
        r".*\.(?:cs|fs|vb)proj|Directory\.Packages\.props",
        r"<Package(?:Reference|Version)\s+Include=\"(?P<name>Stripe\.net)\"",
    ),
    (r"Cargo\.toml", r"^(?P<name>(?:async-)?stripe)[ \t]*="),
)
_PATTERNS = tuple(
    (re.compile(name if "/" in name else f"[^/]*/(?:{name})", re.IGNORECASE), re.compile(requirement, re.MULTILINE))
    for name, requirement in _MANIFESTS
)

_INSTALL_COMMAND = re.compile(
    r"\b(?:pip3?|pipx|uv|poetry|pdm|pipenv|conda|npm|pnpm|yarn|bun|gem|composer|go)[ \t]+(?:pip[ \t]+|global[ \t]+)?"
    r"(?:install|add|i|require|get|inject)\b[^\n;&|#]{0,500}?(?<![\w@./=-])"
    rf"(?P<name>{_PYPI_NAME}|@stripe/(?:agent-toolkit|ai-sdk|mcp)|stripe/stripe-php|github\.com/stripe/stripe-go[\w/]*)"
    r"(?=[\s\"'\[<>=!~@:,;&|\\)]|$)"
)
_MCP_SERVER = re.compile(
    r"""(?:["'`]|\b(?:npx|bunx|dlx)[ \t][^\n]{0,500}?)(?P<name>@stripe/mcp)(?:@[\w.^~-]*)?(?:["'`](?!\s*:)|\s|$)"""
)
_NAMED_FOR_REQUIREMENTS = re.compile(r"require|depend|extra|install", re.IGNORECASE)
_LIST_START = re.compile(r"""(\w+)["']?\s*[=:]\s*[\[{(][^\]})]*$""")
_MAX_LIST_LENGTH = 2000
"""Characters. The start of a list of requirements is searched no further back than this."""


def find(path: Path, text: str) -> Iterator[Detection]:
    """Yield the requirements of a manifest, which is known by its file name."""
    if path.name == "pyproject.toml":
        yield from _find_in_pyproject(text)
    folder_and_name = "/".join(path.absolute().parts[-2:])
    for file, requirement in _PATTERNS:
        if not file.fullmatch(folder_and_name):
            continue
        for match in requirement.finditer(text):
            group = match.lastgroup or "name"
            if path.name != "setup.py" or _is_requirement(text, match):
                yield Detection(SDK_DEPENDENCY, match.start(group), match[group])


def find_install_commands(code: str) -> Iterator[Detection]:
    """Yield the packages that shell commands install."""
    for match in _INSTALL_COMMAND.finditer(code):
        yield Detection(SDK_DEPENDENCY, match.start("name"), match["name"])


def find_mcp_servers(code: str) -> Iterator[Detection]:
    """Yield Stripe's MCP server where it is an argument of the command that starts it."""
    for match in _MCP_SERVER.finditer(code):
        yield Detection(SDK_DEPENDENCY, match.start("name"), match["name"])


def _find_in_pyproject(text: str) -> Iterator[Detection]:
    """Yield the requirements alone; a pyproject.toml also names packages in the settings of linters."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for requirement in _requirements(content):
        if re.match(rf"{_PYPI_NAME}(?![\w-])", requirement):
            line = rf"^[ \t]*(?:[\w-]+[ \t]*=[ \t]*\[.*?)?[\"']?(?P<name>{re.escape(requirement)})(?![\w-])"
            match = re.search(line, text, re.MULTILINE)
            yield Detection(SDK_DEPENDENCY, match.start("name") if match else 0, requirement)


def _requirements(content: dict[str, Any]) -> Iterator[str]:
    """Yield each requirement as it is written; for Poetry, its name."""
    lists = [_table(content, "project").get("dependencies")]
    lists += _table(content, "project", "optional-dependencies").values()
    lists += _table(content, "dependency-groups").values()
    for requirements in lists:
        if isinstance(requirements, list):
            yield from (entry for entry in requirements if isinstance(entry, str))
    poetry = _table(content, "tool", "poetry")
    for group in (poetry, *(_table(poetry, "group", name) for name in _table(poetry, "group"))):
        yield from _table(group, "dependencies")
        yield from _table(group, "dev-dependencies")


def _table(content: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the nested table, empty if there is none."""
    for name in names:
        value = content.get(name)
        content = value if isinstance(value, dict) else {}
    return content


def _is_requirement(text: str, match: re.Match[str]) -> bool:
    """Whether a name in a setup.py is a requirement: it has a version, or is in a list named for requirements."""
    if re.search(r"[<>=~]", match[0]):
        return True
    before = text[max(0, match.start() - _MAX_LIST_LENGTH) : match.start()]
    start = _LIST_START.search(before)
    return start is not None and _NAMED_FOR_REQUIREMENTS.search(start[1]) is not None
