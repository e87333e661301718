"""One run of the guard: every file read once, every hit found, allowed or reported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_guard import (
    addresses,
    allowances,
    keys,
    languages,
    manifests,
    notebooks,
    python_code,
    route_keys,
    sdk_copies,
)
from billing_guard.files import files_in
from billing_guard.redaction import redact
from billing_guard.rules import SDK_COPY, SDK_IMPORT, Finding, Hit
from billing_guard.source import Source, decoded, is_binary, is_utf16

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LARGEST = 10_000_000
"""Bytes. Nobody writes a larger file; it is named in the report as not read."""

_WORDS = (
    *(b"stripe", b"k_live_", b"k_test_", b"sk_org_", b"whsec_"),
    *(b"c2tf", b"cmtf", b"cgtf", b"d2hzzwnf"),  # how keys begin in base64, in small letters
)
"""In a file with none of these there is no hit, but for keys in routes; most files of a code base are such."""
_WORDS_OF_ROUTES = (b"price_id", b"product_id", b"customer_id", b"register_route", b"register_override")


class _TooLargeError(Exception):
    """A text of more than ``LARGEST`` bytes."""


@dataclass(frozen=True, slots=True)
class Report:
    """``read`` counts files; ``unread`` names those that were too large or could not be opened."""

    findings: tuple[Finding, ...]
    read: int
    unread: tuple[str, ...]


def scan(paths: Iterable[Path]) -> Report:
    """Find every hit below ``paths``, in the order of path, line and column."""
    files = files_in(paths)
    findings: set[Finding] = set()
    unread = []
    for path in files:
        try:
            findings.update(_findings(path, _content(path)))
        except (OSError, _TooLargeError):
            unread.append(redact(path.as_posix()))
    return Report(tuple(sorted(findings)), len(files) - len(unread), tuple(unread))


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST and not is_binary(content):
        raise _TooLargeError
    return content


def _findings(path: Path, content: bytes) -> Iterator[Finding]:
    if not _may_hit(content) and not sdk_copies.is_mark(path):
        return
    text = decoded(content)
    source = Source(path, redact(path.as_posix()), text)
    allowed = allowances.allowed_lines(text.split("\n"))
    for place_of, hit in _hits(source):
        line, column = place_of.place(hit.offset)
        if line not in allowed and not allowances.is_allowed(path, hit.rule.code):
            message = redact(f"{hit.what} {hit.rule.says}")
            yield Finding(source.shown, line, column, hit.rule.code, message, hit.rule.instead)


def _may_hit(content: bytes) -> bool:
    if is_binary(content):
        return False
    lowered = content.lower()
    if any(word in lowered for word in _WORDS) or is_utf16(content):
        return True
    holds_key_field = b"_key" in lowered or b"webhook_secret" in lowered
    return holds_key_field and any(word in lowered for word in _WORDS_OF_ROUTES)


def _hits(source: Source) -> Iterator[tuple[Source, Hit]]:
    """Yield each hit with the text that it is placed in."""
    yield from ((source, hit) for hit in keys.find(source.text))
    if sdk_copies.is_mark(source.path):
        yield source, Hit(SDK_COPY, 0, source.path.name)
    if not sdk_copies.is_copy(source.path.absolute().parent):  # a copy is one hit, not one for each of its lines
        yield from _hits_of_kind(source)


def _hits_of_kind(source: Source) -> Iterator[tuple[Source, Hit]]:
    yield from ((source, hit) for hit in manifests.find(source.path, source.text))
    if source.path.suffix == ".ipynb":
        cells = notebooks.code_of(source)
        yield from ((cells, hit) for hit in manifests.find_installs(cells.text))
        code = Source(cells.path, cells.shown, notebooks.without_commands(cells.text), cells.lines)
        yield from ((cells, hit) for hit in _in_python(code))
    elif source.path.suffix in {".py", ".pyi", ".pyw"} or re.match(r"#!.*\bpython", source.text):
        yield from ((source, hit) for hit in _in_python(source))
    elif language := languages.language_of(source.path, source.text):
        yield from ((source, hit) for hit in _in_code(source, language))


def _in_python(source: Source) -> Iterator[Hit]:
    tree = python_code.parsed(source.text)
    yield from python_code.find(source, tree)
    if ".stripe.com" in source.text or "@stripe/" in source.text:
        code = python_code.code_of(source, tree)
        yield from addresses.find(code)
        yield from manifests.find_tool_servers(code)


def _in_code(source: Source, language: languages.Language) -> Iterator[Hit]:
    code = languages.code_of(source.path, source.text, language)
    yield from addresses.find(code, is_settings=language.is_settings, is_shell=language.is_shell)
    yield from route_keys.find(code)
    yield from manifests.find_tool_servers(code)
    if language.is_shell:
        yield from manifests.find_installs(code)
    for found in language.imports.finditer(code) if language.imports else ():
        yield Hit(SDK_IMPORT, found.start(), " ".join(found[0].split()))
