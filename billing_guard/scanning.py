"""One scan: every file is read once, and what the allowlist does not allow is reported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_guard import (
    api_urls,
    commands,
    keys,
    languages,
    manifests,
    notebooks,
    payment_links,
    python_code,
    route_keys,
    vendored_sdk,
)
from billing_guard.allowlist import Allowlist
from billing_guard.files import list_files
from billing_guard.redaction import redact
from billing_guard.rules import SDK_IMPORT, VENDORED_SDK, Detection, Finding
from billing_guard.source import Source, decode, is_binary, is_utf16

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAX_FILE_SIZE = 10_000_000
"""Bytes. Nobody writes a larger text file by hand; the report names it as skipped."""

_KEYWORDS = (
    *(b"stripe", b"k_live_", b"k_test_", b"sk_org_", b"whsec_"),
    *(b"c2tf", b"cmtf", b"cgtf", b"d2hzzwnf"),  # how keys begin in base64, in lower case
)
"""A file with none of these has no finding, except key fields in routes, and is not parsed. Most files have none."""
_ROUTE_KEYWORDS = (b"price_id", b"product_id", b"customer_id", b"register_route", b"register_override")


_ALLOWED_BY_REPOSITORY = Allowlist()


class _FileTooLargeError(Exception):
    """A text file of more than ``MAX_FILE_SIZE`` bytes."""


@dataclass(frozen=True, slots=True)
class Report:
    """``skipped`` names the files that were too large or could not be opened."""

    findings: tuple[Finding, ...]
    files_read: int
    skipped: tuple[str, ...]


def scan(paths: Iterable[Path], allowlist: Allowlist = _ALLOWED_BY_REPOSITORY) -> Report:
    """Report every finding below ``paths``, sorted by path, line and column."""
    files = list_files(paths)
    findings: set[Finding] = set()
    skipped = []
    for path in files:
        try:
            findings.update(_scan_file(path, _read(path), allowlist))
        except (OSError, _FileTooLargeError):
            skipped.append(redact(path.as_posix()))
    return Report(tuple(sorted(findings)), len(files) - len(skipped), tuple(skipped))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_SIZE + 1)
    if len(content) > MAX_FILE_SIZE and not is_binary(content):
        raise _FileTooLargeError
    return content


def _scan_file(path: Path, content: bytes, allowlist: Allowlist) -> Iterator[Finding]:
    if not _has_keyword(content) and not vendored_sdk.is_marker(path):
        return
    text = decode(content)
    allowed_lines = allowlist.allowed_lines(text.split("\n"))
    for source, detection in _detect(Source(path, redact(path.as_posix()), text)):
        line, column = source.position(detection.offset)
        rule = detection.rule
        if line not in allowed_lines and not allowlist.allows(path, rule.code):
            message = redact(f"{detection.subject} {rule.message}")
            yield Finding(source.display_path, line, column, rule.code, message, rule.instead)


def _has_keyword(content: bytes) -> bool:
    """Whether a detector could find anything here; UTF-16 is not searched for keywords but always parsed."""
    if is_binary(content):
        return False
    lowered = content.lower()
    if any(keyword in lowered for keyword in _KEYWORDS) or is_utf16(content):
        return True
    has_key_field = b"_key" in lowered or b"webhook_secret" in lowered
    return has_key_field and any(keyword in lowered for keyword in _ROUTE_KEYWORDS)


def _detect(source: Source) -> Iterator[tuple[Source, Detection]]:
    """Yield each detection with the source that its offset counts in."""
    yield from ((source, detection) for detection in keys.find(source.text))
    yield from ((source, detection) for detection in payment_links.find(source.text))
    if vendored_sdk.is_marker(source.path):
        yield source, Detection(VENDORED_SDK, 0, source.path.name)
    if not vendored_sdk.is_copy(source.path.absolute().parent):  # a copy is one finding, not one for each of its lines
        yield from _detect_by_file_type(source)


def _detect_by_file_type(source: Source) -> Iterator[tuple[Source, Detection]]:
    yield from ((source, detection) for detection in manifests.find(source.path, source.text))
    if source.path.suffix == ".ipynb":
        cells = notebooks.extract_code(source)
        yield from ((cells, detection) for detection in _detect_in_notebook(cells))
    elif source.path.suffix in {".py", ".pyi", ".pyw"} or re.match(r"#!.*\bpython", source.text):
        yield from ((source, detection) for detection in _detect_in_python(source))
    elif language := languages.detect(source.path, source.text):
        yield from ((source, detection) for detection in _detect_in_language(source, language))


def _detect_in_notebook(cells: Source) -> Iterator[Detection]:
    shell = notebooks.extract_commands(cells.text)
    yield from api_urls.find(shell, is_shell=True)
    yield from commands.find(cells.path, shell, is_shell=True)
    yield from manifests.find_install_commands(cells.text)
    python = notebooks.comment_out_commands(cells.text)
    yield from _detect_in_python(Source(cells.path, cells.display_path, python, cells.line_numbers))


def _detect_in_python(source: Source) -> Iterator[Detection]:
    tree = python_code.parse(source.text)
    yield from python_code.find(source, tree)
    code = python_code.extract_code(source, tree)
    yield from api_urls.find(code)
    yield from commands.find(source.path, code)
    yield from payment_links.find_built(code)
    yield from manifests.find_mcp_servers(code)


def _detect_in_language(source: Source, language: languages.Language) -> Iterator[Detection]:
    code = languages.extract_code(source.path, source.text, language)
    yield from api_urls.find(code, is_settings=language.is_settings, is_shell=language.is_shell)
    yield from route_keys.find(code)
    yield from manifests.find_mcp_servers(code)
    yield from commands.find(source.path, code, is_shell=language.is_shell)
    yield from payment_links.find_built(code)
    if language.is_shell:
        yield from manifests.find_install_commands(code)
    for match in language.imports.finditer(code) if language.imports else ():
        yield Detection(SDK_IMPORT, match.start(), " ".join(match[0].split()))
