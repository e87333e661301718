"""What Python code imports of Stripe's SDK, which keys it joins from literals, and which of its text runs."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from billing_guard import keys, route_keys, vendored_sdk
from billing_guard.languages import blank
from billing_guard.rules import SDK_IMPORT, Detection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing_guard.source import Source

_SDK_MODULES = frozenset({"stripe", "stripe_agent_toolkit", "async_stripe", "djstripe"})

_MODULE = "|".join(sorted(_SDK_MODULES))
_IMPORT_LINE = re.compile(
    rf"^[ \t]*(?:from[ \t]+(?P<from>{_MODULE})(?:\.\w+)*[ \t]+import\b"
    rf"|import[ \t]+(?:[\w.]+(?:[ \t]+as[ \t]+\w+)?[ \t]*,[ \t]*)*(?P<import>{_MODULE})\b)",
    re.MULTILINE,
)
_IMPORT_FUNCTIONS = frozenset({"import_module", "__import__", "importorskip", "find_spec", "include"})
_APPS_SETTING = re.compile(r"(?:\w+_)?APPS")
_STRING_OR_COMMENT = re.compile(
    r"""(?P<string>\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"|\#[^\n]*",
    re.DOTALL,
)


def parse(text: str) -> ast.Module | None:
    """Return None for what this Python cannot parse, such as Python 2 or a template."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are about the scanned code
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def find(source: Source, tree: ast.Module | None) -> Iterator[Detection]:
    """Yield imports of the SDK, keys joined from literals, and key fields in routes."""
    if tree is None:
        yield from _find_import_lines(source.text)
        return
    operands: set[ast.expr] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call)):
            yield from _find_imports(source, node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            yield from _find_installed_apps(source, node)
        elif isinstance(node, (ast.BinOp, ast.Constant)) and node not in operands:
            operands.update(_left_operands(node))
            yield from _find_joined_keys(source, node)
    yield from route_keys.find_in_python(source, tree)


def extract_code(source: Source, tree: ast.Module | None) -> str:
    """Return the text with spaces for comments, docstrings and other strings that nothing uses."""
    text = _blank_comments(source.text)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            start, end = _span(source, node)
            text = text[:start] + blank(text[start:end]) + text[end:]
    return text


def _find_import_lines(text: str) -> Iterator[Detection]:
    for match in _IMPORT_LINE.finditer(_blank_comments(text)):
        yield Detection(SDK_IMPORT, match.start(), f"import {match['from'] or match['import']}")


def _blank_comments(text: str) -> str:
    return _STRING_OR_COMMENT.sub(lambda match: match[0] if match["string"] else blank(match[0]), text)


def _find_imports(source: Source, node: ast.Import | ast.ImportFrom | ast.Call) -> Iterator[Detection]:
    for module in _imported_modules(node):
        if _is_sdk(source, module):
            yield Detection(SDK_IMPORT, _span(source, node)[0], f"import {module}")


def _find_installed_apps(source: Source, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Iterator[Detection]:
    """Yield what Django imports because a setting such as INSTALLED_APPS names it."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if node.value is None or not (isinstance(target, ast.Name) and _APPS_SETTING.fullmatch(target.id)):
        return
    for app in ast.walk(node.value):
        if isinstance(app, ast.Constant) and isinstance(app.value, str) and _is_sdk(source, app.value):
            yield Detection(SDK_IMPORT, _span(source, app)[0], app.value)


def _is_sdk(source: Source, module: str) -> bool:
    top_level = module.partition(".")[0]
    return top_level in _SDK_MODULES and not vendored_sdk.is_shadowed(source.path, top_level)


def _imported_modules(node: ast.Import | ast.ImportFrom | ast.Call) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else []
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    argument = node.args[0] if node.args else None
    if function in _IMPORT_FUNCTIONS and isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return [argument.value]
    return []


def _left_operands(node: ast.expr) -> Iterator[ast.expr]:
    """Yield ``a + b`` and ``a`` of ``a + b + c``, so that no part of a sum is searched twice."""
    while isinstance(node, ast.BinOp):
        node = node.left
        yield node


def _find_joined_keys(source: Source, node: ast.BinOp | ast.Constant) -> Iterator[Detection]:
    """Yield keys that are whole only after Python has joined adjacent literals, or literals with a plus."""
    start, end = _span(source, node)
    for detection in keys.find(_join_literals(node)):
        if not any(True for _ in keys.find(source.text[start:end])):
            yield Detection(detection.rule, start, detection.subject)


def _join_literals(node: ast.expr) -> str:
    """Return the text of a sum of literals, with a space for each value that only the running program knows."""
    parts = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts.append(_literal(node.right))
        node = node.left
    return "".join(reversed([*parts, _literal(node)]))


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else " "


def _span(source: Source, node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the offsets at which the node starts and ends."""
    start = source.offset(node.lineno, node.col_offset)
    return start, source.offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
