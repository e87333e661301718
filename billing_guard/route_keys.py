"""Which mappings are routes of the billing router, and which of their fields would hold a key."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing_guard.rules import ROUTE_KEY, Detection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from billing_guard.source import Source

_ID_PREFIXES = {"product_id": "prod_", "price_id": "price_", "customer_id": "cus_"}
_KEY_FIELD = re.compile(
    r"(?:stripe_)?(?:secret|public|publishable|restricted|private|api)_key|stripe_key|(?:stripe_)?webhook_secrets?",
    re.IGNORECASE,
)
_REGISTER_FUNCTIONS = frozenset({"register_route", "register_override"})

_FIELD = r"""["':]?(?P<name>\w+)["']?[ \t]*(?:=>|:|=(?!=))[ \t]*"""
_LINE = re.compile(rf"(?P<indent>[ \t]*)(?P<item>(?:-[ ]+)*)(?P<field>{_FIELD})?(?P<rest>.*)")
_BRACED_MAPPING = re.compile(r"\{[^{}]*\}")
_BRACED_FIELD = re.compile(rf"""(?<![\w$.]){_FIELD}(?P<value>"[^"\n]*"|'[^'\n]*'|[^,}}\n]*)""")
_SECTION_START = re.compile(r"\[[^\]]*\]\s*$|---")


@dataclass(slots=True, eq=False)
class _Mapping:
    """The fields at one level of indentation; ``name`` is the field of ``parent`` that holds this mapping."""

    indent: int
    parent: _Mapping | None = None
    name: str = ""
    offsets: dict[str, int] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: str, offset: int) -> None:
        self.offsets[name] = offset
        self.values[name] = value.strip(" \t,;\"'")

    def is_in_route(self) -> bool:
        """Whether it is a route, or is somewhere in the overrides of one."""
        if _is_route(self.values):
            return True
        mapping: _Mapping | None = self
        while mapping and mapping.name != "overrides":
            mapping = mapping.parent
        return mapping is not None and mapping.parent is not None and _is_route(mapping.parent.values)


def find(code: str) -> Iterator[Detection]:
    """Yield the key fields in routes of YAML, JSON, TOML, and of code whose mappings are indented or in braces."""
    for mapping in [*_indented_mappings(code), *_braced_mappings(code)]:
        key_fields = [(name, offset) for name, offset in mapping.offsets.items() if _KEY_FIELD.fullmatch(name)]
        if key_fields and mapping.is_in_route():
            yield from (Detection(ROUTE_KEY, offset, name) for name, offset in key_fields)


def find_in_python(source: Source, tree: ast.Module) -> Iterator[Detection]:
    """Yield the key fields in routes, in their overrides, and in whatever is passed to a register function."""
    for node in ast.walk(tree):
        fields = _named_values(node)
        if _registers_route(node):
            yield from _find_key_fields_below(source, node)
        elif _is_route({name: _string(value) for name, (_, value) in fields.items()}):
            yield from _find_key_fields(source, fields)
            if overrides := fields.get("overrides"):
                yield from _find_key_fields_below(source, overrides[1])


def _is_route(values: Mapping[str, str]) -> bool:
    """Whether a field holds the Stripe id that belongs there, or a price_id has another route field beside it."""
    if any(values.get(name, "").startswith(prefix) for name, prefix in _ID_PREFIXES.items()):
        return True
    return "price_id" in values and not _ID_PREFIXES.keys().isdisjoint(values.keys() - {"price_id"})


def _indented_mappings(code: str) -> Iterator[_Mapping]:
    """Yield each mapping when it ends: at a line with less indentation, a new list item or a new TOML section."""
    current = _Mapping(-1)
    last_field, line_start = "", 0
    for line in code.split("\n"):
        match = _LINE.fullmatch(line)
        if match and line.strip():
            indent = len(match["indent"]) + len(match["item"])
            starts_mapping = bool(match["item"]) or _SECTION_START.match(match["rest"] or "") is not None
            while current.parent and (current.indent > indent or (starts_mapping and current.indent == indent)):
                yield current
                last_field, current = current.name, current.parent
            if match["field"]:
                if current.indent < indent:
                    current = _Mapping(indent, current, last_field)
                last_field = match["name"]
                current.add(last_field, match["rest"], line_start + match.start("name"))
        line_start += len(line) + 1
    while current.parent:
        yield current
        current = current.parent


def _braced_mappings(code: str) -> Iterator[_Mapping]:
    for braces in _BRACED_MAPPING.finditer(code):
        mapping = _Mapping(0)
        for match in _BRACED_FIELD.finditer(braces[0]):
            mapping.add(match["name"], match["value"], braces.start() + match.start("name"))
        yield mapping


_NamedValues = dict[str, tuple[ast.AST, ast.AST | None]]
"""By name: the node that names it, and the value."""


def _named_values(node: ast.AST) -> _NamedValues:
    """Return the items of a dict, the keyword arguments of a call, or the assignments in a class."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_string(key): (key, value) for key, value in pairs if key is not None and _string(key)}
    if isinstance(node, ast.Call):
        return {keyword.arg: (keyword, keyword.value) for keyword in node.keywords if keyword.arg}
    if isinstance(node, ast.ClassDef):
        assignments = map(_assignment, node.body)
        return {target.id: (target, value) for target, value in assignments if isinstance(target, ast.Name)}
    return {}


def _assignment(statement: ast.stmt) -> tuple[ast.AST | None, ast.AST | None]:
    """Return the target and the value, or None for both if the statement assigns nothing."""
    if isinstance(statement, ast.Assign):
        return statement.targets[0], statement.value
    if isinstance(statement, ast.AnnAssign):
        return statement.target, statement.value
    return None, None


def _registers_route(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    return function in _REGISTER_FUNCTIONS


def _find_key_fields_below(source: Source, node: ast.AST | None) -> Iterator[Detection]:
    for descendant in ast.walk(node) if node else ():
        yield from _find_key_fields(source, _named_values(descendant))


def _find_key_fields(source: Source, fields: _NamedValues) -> Iterator[Detection]:
    for name, (node, _) in fields.items():
        if _KEY_FIELD.fullmatch(name) and isinstance(node, (ast.expr, ast.keyword)):
            yield Detection(ROUTE_KEY, source.offset(node.lineno, node.col_offset), name)


def _string(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
