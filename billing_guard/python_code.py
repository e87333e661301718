"""What Python code takes in of Stripe's SDK, and which of its text is run."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from billing_guard import keys, route_keys, sdk_copies
from billing_guard.languages import blank
from billing_guard.rules import SDK_IMPORT, Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing_guard.source import Source

MODULES = frozenset({"stripe", "stripe_agent_toolkit"})

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<from>stripe(?:_agent_toolkit)?)(?:\.\w+)*[ \t]+import\b"
    r"|import[ \t]+(?:[\w.]+(?:[ \t]+as[ \t]+\w+)?[ \t]*,[ \t]*)*(?P<import>stripe(?:_agent_toolkit)?)\b)",
    re.MULTILINE,
)
_IMPORTING = frozenset({"import_module", "__import__", "importorskip", "find_spec"})
_COMMENT = re.compile(
    r"""(?P<string>\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"|\#[^\n]*",
    re.DOTALL,
)


def find(source: Source, tree: ast.Module | None) -> Iterator[Hit]:
    """Yield the imports, the keys that are put together from literals and the keys in routes."""
    if tree is None:  # Python 2, or a template: read by its lines
        for found in _IMPORT.finditer(without_comments(source.text)):
            yield Hit(SDK_IMPORT, found.start(), f"import {found['from'] or found['import']}")
        return
    parts: set[ast.expr] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call)):
            for module in _imported(node):
                if (name := module.partition(".")[0]) in MODULES and not sdk_copies.is_shadowed(source.path, name):
                    yield Hit(SDK_IMPORT, _offset(source, node), f"import {module}")
        elif isinstance(node, (ast.BinOp, ast.Constant)) and node not in parts:
            parts.update(_left_of(node))
            yield from _joined_keys(source, node)
    yield from route_keys.find_in_python(source, tree)


def parsed(text: str) -> ast.Module | None:
    """Return None for what this Python cannot read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the code that is read, which is not ours
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def code_of(source: Source, tree: ast.Module | None) -> str:
    """Return the text with comments, and strings that are nobody's value such as docstrings, as spaces."""
    text = without_comments(source.text)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            start, end = _offset(source, node), _end(source, node)
            text = text[:start] + blank(text[start:end]) + text[end:]
    return text


def without_comments(text: str) -> str:
    return _COMMENT.sub(lambda found: found[0] if found["string"] else blank(found[0]), text)


def _imported(node: ast.Import | ast.ImportFrom | ast.Call) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else []
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    first = node.args[0] if node.args else None
    if name in _IMPORTING and isinstance(first, ast.Constant) and isinstance(first.value, str):
        return [first.value]
    return []


def _left_of(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of ``a + b + c`` that are sums themselves, which are not judged again."""
    while isinstance(node, ast.BinOp):
        node = node.left
        yield node


def _joined_keys(source: Source, node: ast.BinOp | ast.Constant) -> Iterator[Hit]:
    """Yield keys that stand in no line as a whole, because adjacent literals or a plus put them together."""
    start, end = _offset(source, node), _end(source, node)
    for hit in keys.find(_text_of(node)):
        if not any(True for _ in keys.find(source.text[start:end])):
            yield Hit(hit.rule, start, hit.what)


def _text_of(node: ast.expr) -> str:
    """Return the text that literals make, with a space for what is not known before the program runs."""
    parts = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts.append(_literal(node.right))
        node = node.left
    return "".join(reversed([*parts, _literal(node)]))


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else " "


def _offset(source: Source, node: ast.expr | ast.stmt) -> int:
    return source.offset(node.lineno, node.col_offset)


def _end(source: Source, node: ast.expr | ast.stmt) -> int:
    return source.offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
